using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>down(activation(up(x))): the MLP of the first transformers.</summary>
internal sealed class PlainMlp : FeedForward
{
    private readonly Backend backend;
    private readonly Activation activation;
    private readonly LinearWeight up;
    private readonly LinearWeight down;

    public PlainMlp(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        this.backend = backend;
        var config = shard.Config;
        activation = config.Activation;
        string Named(string name) => names.InLayer(layer, name);
        up = weights.Linear(Named(names.Up), [Named(names.Up)], config.HiddenSize, [shard.Intermediate], config.MlpBias);
        down = weights.Linear(Named(names.Down), [Named(names.Down)], shard.Intermediate, [config.HiddenSize], config.MlpBias);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var activated = activations.Activated.FirstRows(x.Rows);
        backend.Linear(x, up, activated);
        backend.Activate(activated, activation);
        backend.Linear(activated, down, output);
    }
}
