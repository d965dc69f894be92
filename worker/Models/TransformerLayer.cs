using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>One pre-norm decoder layer: attention, then a gated MLP. Called by <see cref="Transformer"/>.</summary>
internal sealed class TransformerLayer
{
    private readonly int index;
    private readonly Backend backend;
    private readonly RopeTable rope;
    private readonly float epsilon;
    private readonly Activation activation;
    private readonly AttentionSettings attentionSettings;
    private readonly Tensor attentionNorm;
    private readonly LinearWeight qkv;
    private readonly LinearWeight attentionOutput;
    private readonly Tensor mlpNorm;
    private readonly LinearWeight gateUp;
    private readonly LinearWeight down;

    /// <summary>Loads the layer's weights.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public TransformerLayer(int index, ModelConfig config, Backend backend, WeightLoader weights, RopeTable rope)
    {
        this.index = index;
        this.backend = backend;
        this.rope = rope;
        epsilon = config.RmsNormEpsilon;
        activation = config.Activation;
        attentionSettings = new AttentionSettings(config.NumHeads, 1 / MathF.Sqrt(config.HeadDim));

        var names = config.Architecture.WeightNames;
        string Named(string name) => names.InLayer(index, name);
        string[] AllNamed(IEnumerable<string> parts) => [.. parts.Select(Named)];
        var kvSize = config.NumKvHeads * config.HeadDim;

        attentionNorm = weights.Vector(Named(names.AttentionNorm), config.HiddenSize);
        qkv = weights.Linear(Named("qkv"), AllNamed(names.Qkv), config.HiddenSize, [config.AttentionSize, kvSize, kvSize], config.QkvBias);
        attentionOutput = weights.Linear(
            Named(names.AttentionOutput), [Named(names.AttentionOutput)], config.AttentionSize, [config.HiddenSize], config.AttentionOutputBias);
        mlpNorm = weights.Vector(Named(names.MlpNorm), config.HiddenSize);
        gateUp = weights.Linear(
            Named("gate_up"), AllNamed(names.GateUp), config.HiddenSize, [config.IntermediateSize, config.IntermediateSize], config.MlpBias);
        down = weights.Linear(Named(names.Down), [Named(names.Down)], config.IntermediateSize, [config.HiddenSize], config.MlpBias);
    }

    /// <summary>Enqueues the layer. Expects the sum so far in <c>Residual</c> and, but for the first layer, what the layer before adds to it in
    /// <c>Delta</c>; leaves its own contribution in <c>Delta</c>, so that each sum shares a pass over memory with the norm after it.</summary>
    public void Forward(Activations activations, int tokens, in AttentionInputs inputs, KvCache cache)
    {
        var residual = activations.Residual.FirstRows(tokens);
        var normed = activations.Normed.FirstRows(tokens);
        var delta = activations.Delta.FirstRows(tokens);

        if (index == 0)
        {
            backend.RmsNorm(residual, attentionNorm, epsilon, normed);
        }
        else
        {
            backend.AddRmsNorm(residual, delta, attentionNorm, epsilon, normed);
        }

        var projected = activations.Qkv.FirstRows(tokens);
        var attended = activations.Attention.FirstRows(tokens);
        backend.Linear(normed, qkv, projected);
        backend.RopeAndCache(projected, rope, inputs, cache, index);
        backend.PagedAttention(projected, inputs, cache, index, attentionSettings, attended);
        backend.Linear(attended, attentionOutput, delta);

        var gated = activations.GateUp.FirstRows(tokens);
        var activated = activations.Activated.FirstRows(tokens);
        backend.AddRmsNorm(residual, delta, mlpNorm, epsilon, normed);
        backend.Linear(normed, gateUp, gated);
        backend.GatedActivation(gated, activation, activated);
        backend.Linear(activated, down, delta);
    }
}
