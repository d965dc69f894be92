using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models.Layers;

/// <summary>down(activation(gate(x)) · up(x)): Shazeer, arXiv 2002.05202.</summary>
internal sealed class GatedMlp : FeedForward
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly LinearWeight _gateUp;
    private readonly LinearWeight _down;

    public GatedMlp(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        var config = shard.Config;
        _activation = config.Activation;
        string Named(string name) => names.InLayer(layer, name);
        _gateUp = weights.Linear(
            Named("gate_up"), WeightPart.GateUp([.. names.GateUp.Select(Named)], shard.Intermediate), config.HiddenSize, config.MlpBias);
        _down = weights.Linear(Named(names.Down), config.HiddenSize, shard.Intermediate, config.MlpBias);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var gated = activations.GateUp.FirstRows(x.Rows);
        var activated = activations.Activated.FirstRows(x.Rows);
        _backend.GatedLinear(x, _gateUp, _activation, gated, activated);
        _backend.Linear(activated, _down, output);
    }
}
