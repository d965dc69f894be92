using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>A router and gated MLPs of which each token passes through a few: Jiang et al., arXiv 2401.04088. Which ones stays on the device.</summary>
internal sealed class MixtureOfExperts : FeedForward
{
    private readonly Backend backend;
    private readonly Activation activation;
    private readonly bool normalize;
    private readonly LinearWeight router;
    private readonly ExpertWeights gateUp;
    private readonly ExpertWeights down;

    public MixtureOfExperts(int layer, Shard shard, MoeConfig moe, Backend backend, WeightLoader weights, WeightNames names)
    {
        this.backend = backend;
        var config = shard.Config;
        activation = config.Activation;
        normalize = moe.Normalize;
        string Named(string name) => names.InLayer(layer, name);
        var expertGateUp = new LinearWeight[moe.NumExperts];
        var expertDown = new LinearWeight[moe.NumExperts];
        for (var i = 0; i < moe.NumExperts; i++)
        {
            string OfExpert(string name) => Named($"{names.ExpertPrefix}{i}.{name}");
            expertGateUp[i] = weights.Linear(
                OfExpert("gate_up"),
                [.. names.ExpertGateUp.Select(OfExpert)],
                config.HiddenSize,
                [shard.ExpertIntermediate, shard.ExpertIntermediate],
                bias: false);
            expertDown[i] = weights.Linear(
                OfExpert(names.ExpertDown), [OfExpert(names.ExpertDown)], shard.ExpertIntermediate, [config.HiddenSize], bias: false);
        }

        router = weights.Linear(Named(names.Router), [Named(names.Router)], config.HiddenSize, [moe.NumExperts], bias: false);
        gateUp = backend.LoadExperts(Named("experts.gate_up"), expertGateUp);
        down = backend.LoadExperts(Named("experts.down"), expertDown);
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
        backend.Linear(x, router, logits);
        backend.RouteToExperts(logits, normalize, chosen, weights);
        backend.ExpertLinear(x, chosen, gateUp, gated);
        backend.GatedActivation(gated, activation, activated);
        backend.ExpertLinear(activated, chosen, down, outputs);
        backend.SumExperts(outputs, weights, output);
    }
}
