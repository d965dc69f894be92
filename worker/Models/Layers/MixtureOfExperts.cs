using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>A router and gated MLPs of which each token passes through a few: Jiang et al., arXiv 2401.04088. Which ones stays on the
/// device.</summary>
internal sealed class MixtureOfExperts : FeedForward
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly MoeConfig _moe;
    private readonly LinearWeight _router;
    private readonly Tensor? _correction;
    private readonly ExpertWeights _gateUp;
    private readonly ExpertWeights _down;
    private readonly SharedExpert? _shared;

    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public MixtureOfExperts(int layer, Shard shard, MoeConfig moe, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        _activation = shard.Config.Activation;
        _moe = moe;
        string Named(string name) => names.InLayer(layer, name);
        var experts = new ExpertMatrices(layer, shard, moe, weights, names);
        _gateUp = backend.LoadExperts(Named("experts.gate_up"), experts.GateUp());
        _down = backend.LoadExperts(Named("experts.down"), experts.Down());
        _router = weights.Linear(Named(names.Router), moe.NumExperts, shard.Config.HiddenSize, moe.RouterBias, exact: true);
        _correction = moe.Correction switch
        {
            RoutingCorrection.Vector => weights.Vector(Named(names.RoutingCorrection), moe.NumExperts),
            RoutingCorrection.Row => weights.Rows(Named(names.RoutingCorrection), 1, moe.NumExperts),
            _ => null,
        };
        _shared = moe.SharedIntermediateSize > 0 ? new SharedExpert(layer, shard, moe, backend, weights, names) : null;
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

        // Before the experts' sum, which may overwrite x.
        var shared = _shared?.Forward(buffers.Shared!, x);
        _backend.Route(x, _router, logits, _moe.Routing, _correction, chosen, weights);
        _backend.ExpertLinear(x, chosen, _gateUp, gated);
        if (_moe.WeighsInputs)
        {
            // Without biases, a factor of the input is one of the output.
            _backend.ScaleRows(gated, weights);
        }

        Activate(gated, activated);
        _backend.ExpertLinear(activated, chosen, _down, outputs);
        _backend.SumExperts(outputs, _moe.WeighsInputs ? null : weights, output);
        if (shared is { } added)
        {
            _backend.Add(output, added);
        }
    }

    private void Activate(Tensor gated, Tensor activated)
    {
        if (_moe.ActivationLimit is { } limit)
        {
            _backend.ClampedActivation(gated, limit, activated);
        }
        else
        {
            _backend.GatedActivation(gated, _activation, activated);
        }
    }
}
