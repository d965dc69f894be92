using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>The gated MLP that every token passes through besides its experts (Dai et al., arXiv 2401.06066). Called by
/// <see cref="MixtureOfExperts"/>.</summary>
internal sealed class SharedExpert
{
    private readonly Backend _backend;
    private readonly Activation _activation;
    private readonly LinearWeight _gateUp;
    private readonly LinearWeight _down;
    private readonly LinearWeight? _outputGate;

    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public SharedExpert(int layer, Shard shard, MoeConfig moe, Backend backend, WeightLoader weights, WeightNames names)
    {
        _backend = backend;
        var config = shard.Config;
        _activation = config.Activation;
        string Named(string name) => names.InLayer(layer, name);
        _gateUp = weights.Linear(
            Named("shared.gate_up"), WeightPart.GateUp([.. names.SharedGateUp.Select(Named)], shard.SharedIntermediate),
            config.HiddenSize, config.MlpBias);
        _down = weights.Linear(Named(names.SharedDown), config.HiddenSize, shard.SharedIntermediate, config.MlpBias);
        _outputGate = moe.SharedGate ? weights.Linear(Named(names.SharedGate), 1, config.HiddenSize, bias: false, exact: true) : null;
    }

    /// <summary>Enqueues the MLP of x, of this rank's features.</summary>
    /// <returns><c>[tokens, hidden]</c>.</returns>
    public Tensor Forward(SharedActivations buffers, Tensor x)
    {
        var gated = buffers.GateUp.FirstRows(x.Rows);
        var activated = buffers.Activated.FirstRows(x.Rows);
        var output = buffers.Output.FirstRows(x.Rows);
        _backend.GatedLinear(x, _gateUp, _activation, gated, activated);
        _backend.Linear(activated, _down, output);
        if (_outputGate is not null)
        {
            var gate = buffers.Gate.FirstRows(x.Rows);
            _backend.Linear(x, _outputGate, gate);
            _backend.Activate(gate, Activation.Sigmoid);
            _backend.ScaleRows(output, gate);
        }

        return output;
    }
}
