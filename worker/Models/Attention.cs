using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>A layer's attention: projection to heads, positions, cache, softmax over the past, projection back. Called by <see cref="TransformerLayer"/>.</summary>
internal sealed class Attention
{
    private readonly int layer;
    private readonly Backend backend;
    private readonly int numHeads;
    private readonly int numKvHeads;
    private readonly float epsilon;
    private readonly AttentionSettings settings;
    private readonly RopeTable? rope;
    private readonly LinearWeight qkv;
    private readonly LinearWeight output;
    private readonly Tensor? queryNorm;
    private readonly Tensor? keyNorm;

    /// <param name="positions">Shared by all layers.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public Attention(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names, PositionEncoding positions)
    {
        var config = shard.Config;
        this.layer = layer;
        this.backend = backend;
        numHeads = config.NumHeads;
        numKvHeads = config.NumKvHeads;
        epsilon = config.NormEpsilon;
        rope = positions.Rope;
        settings = new AttentionSettings(
            config.NumHeads, config.AttentionScale, config.SlidingWindow(layer), config.AttentionSoftCap, positions.AlibiSlopes);

        string Named(string name) => names.InLayer(layer, name);
        var attended = shard.Heads.Times(config.HeadDim);
        var cached = shard.KvHeads.Times(config.HeadDim);
        qkv = config.InterleavedQkv
            ? weights.InterleavedQkv(Named(names.Qkv[0]), config.HiddenSize, shard.Heads, config.HeadDim, config.QkvBias)
            : weights.Linear(
                Named("qkv"), [.. names.Qkv.Select(Named)], config.HiddenSize, [attended, cached, cached], config.QkvBias);
        output = weights.Linear(
            Named(names.AttentionOutput), [Named(names.AttentionOutput)], attended, [config.HiddenSize], config.AttentionOutputBias);
        if (config.QueryKeyNorm)
        {
            queryNorm = weights.Vector(Named(names.QueryNorm) + ".weight", config.HeadDim);
            keyNorm = weights.Vector(Named(names.KeyNorm) + ".weight", config.HeadDim);
        }
    }

    /// <summary>Enqueues output = attention(x), of this rank's heads; the ranks' outputs add up to the layer's.</summary>
    public void Forward(Activations activations, in AttentionInputs inputs, KvCache cache, Tensor x, Tensor result)
    {
        var heads = activations.Qkv.FirstRows(x.Rows);
        var attended = activations.Attention.FirstRows(x.Rows);
        backend.Linear(x, qkv, heads);
        if (queryNorm is { } query && keyNorm is { } key)
        {
            backend.RmsNormHeads(heads, 0, numHeads, query, epsilon);
            backend.RmsNormHeads(heads, numHeads, numKvHeads, key, epsilon);
        }

        backend.RopeAndCache(heads, rope, inputs, cache, layer);
        backend.PagedAttention(heads, inputs, cache, layer, settings, attended);
        backend.Linear(attended, output, result);
    }
}
