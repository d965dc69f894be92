using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <summary>down(activation(up(x))): the MLP of the first transformers.</summary>
internal sealed class PlainMlp : FeedForward
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly LinearWeight _up;
    private readonly LinearWeight _down;

    public PlainMlp(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        var config = shard.Config;
        _activation = config.Activation;
        string Named(string name) => names.InLayer(layer, name);
        WeightPart Part(string name, Slice outputs) => new(Named(name), outputs) { Transposed = config.TransposedLayers };
        _up = weights.Linear(Named(names.Up), [Part(names.Up, shard.Intermediate)], config.HiddenSize, config.MlpBias);
        _down = weights.Linear(Named(names.Down), [Part(names.Down, config.HiddenSize)], shard.Intermediate, config.MlpBias);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var activated = activations.Activated.FirstRows(x.Rows);
        _backend.Linear(x, _up, activated);
        _backend.Activate(activated, _activation);
        _backend.Linear(activated, _down, output);
    }
}
