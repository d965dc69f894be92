using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>A router and gated MLPs of which each token passes through a few: Jiang et al., arXiv 2401.04088. Which ones stays on the
/// device.</summary>
internal sealed class MixtureOfExperts : FeedForward
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly ExpertRouting _routing;
    private readonly LinearWeight _router;
    private readonly ExpertWeights _gateUp;
    private readonly ExpertWeights _down;

    public MixtureOfExperts(int layer, Shard shard, MoeConfig moe, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        var config = shard.Config;
        _activation = config.Activation;
        _routing = moe.Routing;
        string Named(string name) => names.InLayer(layer, name);
        var expertGateUp = new LinearWeight[moe.NumExperts];
        var expertDown = new LinearWeight[moe.NumExperts];
        for (var i = 0; i < moe.NumExperts; i++)
        {
            string OfExpert(string name) => Named($"{names.ExpertPrefix}{i}.{name}");
            WeightPart[] gateUp = [.. names.ExpertGateUp.Select(name => new WeightPart(OfExpert(name), shard.ExpertIntermediate))];
            expertGateUp[i] = weights.Linear(OfExpert("gate_up"), gateUp, config.HiddenSize, bias: false);
            expertDown[i] = weights.Linear(OfExpert(names.ExpertDown), config.HiddenSize, shard.ExpertIntermediate, bias: false);
        }

        _router = weights.Linear(Named(names.Router), moe.NumExperts, config.HiddenSize, bias: false);
        _gateUp = backend.LoadExperts(Named("experts.gate_up"), expertGateUp);
        _down = backend.LoadExperts(Named("experts.down"), expertDown);
    }

    public override void Forward(Activations activations, Tensor x, Tensor output)
    {
        var buffers = activations.Experts!;
        var routed = x.Rows * buffers.Chosen.Columns;
        var logits = buffers.RouterLogits.FirstRows(x.Rows);
        var chosen = buffers.Chosen.FirstRows(x.Rows);
        var weights = buffers.Weights.FirstRows(x.Rows);
        var gated = buffers.GateUp.FirstRows(routed);
        var activated = buffers.Activated.FirstRows(routed);
        var outputs = buffers.Outputs.FirstRows(routed);
        _backend.Linear(x, _router, logits);
        _backend.RouteToExperts(logits, _routing, null, chosen, weights);
        _backend.ExpertLinear(x, chosen, _gateUp, gated);
        _backend.GatedActivation(gated, _activation, activated);
        _backend.ExpertLinear(activated, chosen, _down, outputs);
        _backend.SumExperts(outputs, weights, output);
    }
}
