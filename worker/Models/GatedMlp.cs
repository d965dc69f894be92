using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>down(activation(gate(x)) · up(x)): Shazeer, arXiv 2002.05202.</summary>
internal sealed class GatedMlp : FeedForward
{
    private readonly Backend backend;
    private readonly Activation activation;
    private readonly LinearWeight gateUp;
    private readonly LinearWeight down;

    public GatedMlp(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        this.backend = backend;
        var config = shard.Config;
        activation = config.Activation;
        string Named(string name) => names.InLayer(layer, name);
        gateUp = weights.Linear(
            Named("gate_up"), [.. names.GateUp.Select(Named)], config.HiddenSize, [shard.Intermediate, shard.Intermediate], config.MlpBias);
        down = weights.Linear(Named(names.Down), [Named(names.Down)], shard.Intermediate, [config.HiddenSize], config.MlpBias);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var gated = activations.GateUp.FirstRows(x.Rows);
        var activated = activations.Activated.FirstRows(x.Rows);
        backend.Linear(x, gateUp, gated);
        backend.GatedActivation(gated, activation, activated);
        backend.Linear(activated, down, output);
    }
}
