using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <summary>down(activation(up(x))): the MLP of the first transformers.</summary>
internal sealed class PlainMlp : FeedForward
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly XieluScalars? _xielu;
    private readonly LinearWeight _up;
    private readonly LinearWeight _down;

    public PlainMlp(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        var config = shard.Config;
        _activation = config.Activation;
        _xielu = config.Xielu ? LoadXielu(weights, names.InLayer(layer, names.ActivationScalars)) : null;
        string Named(string name) => names.InLayer(layer, name);
        WeightPart Part(string name, Slice outputs) => new(Named(name), outputs) { Transposed = config.TransposedLayers };
        _up = weights.Linear(Named(names.Up), [Part(names.Up, shard.Intermediate)], config.HiddenSize, config.MlpBias);
        _down = weights.Linear(Named(names.Down), [Part(names.Down, config.HiddenSize)], shard.Intermediate, config.MlpBias);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var activated = activations.Activated.FirstRows(x.Rows);
        _backend.Linear(x, _up, activated);
        if (_xielu is { } scalars)
        {
            _backend.Xielu(activated, scalars);
        }
        else
        {
            _backend.Activate(activated, _activation);
        }

        _backend.Linear(activated, _down, output);
    }

    /// <summary>Curvatures are stored so that softplus makes them positive (HF activations.py, XIELUActivation).</summary>
    private static XieluScalars LoadXielu(WeightLoader weights, string prefix)
    {
        static float Softplus(float x) => (float)Math.Log(1 + Math.Exp(x));
        var beta = weights.Scalar(prefix + ".beta");
        return new XieluScalars(
            Softplus(weights.Scalar(prefix + ".alpha_p")), beta + Softplus(weights.Scalar(prefix + ".alpha_n")), beta,
            weights.Scalar(prefix + ".eps"));
    }
}
