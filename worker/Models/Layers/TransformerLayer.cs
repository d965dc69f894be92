using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>One decoder layer: attention and feed-forward, each on a normalized copy of the residual stream. Called by
/// <see cref="Transformer"/>.</summary>
/// <remarks>
/// Three wirings, by the switches of <see cref="ModelConfig"/>:
/// <code>
/// sequential   h += attention(norm h);            h += mlp(norm h)
/// sandwich     h += norm(attention(norm h));      h += norm(mlp(norm h))       PostNorms
/// parallel     n = norm h;                        h += attention(n) + mlp(n)   ParallelBlock
/// </code>
/// </remarks>
internal sealed class TransformerLayer
{
    private readonly int _index;
    private readonly bool _isWhole;
    private readonly Backend _backend;
    private readonly IAttention _attention;
    private readonly FeedForward _feedForward;
    private readonly Norm _attentionNorm;
    private readonly Norm? _attentionPostNorm;
    private readonly Norm? _mlpNorm;
    private readonly Norm? _mlpPostNorm;

    /// <summary>Loads the layer's weights.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public TransformerLayer(int index, Shard shard, Backend backend, WeightLoader weights, WeightNames names, PositionEncoding positions)
    {
        _index = index;
        _backend = backend;
        _isWhole = shard.IsWhole;
        var config = shard.Config;
        Norm Named(string name) => new(names.InLayer(index, name), config, backend, weights);
        _attentionNorm = Named(names.AttentionNorm);
        _attention = config.Latent is { } latent
            ? new LatentAttention(index, shard, latent, backend, weights, names, positions)
            : new Attention(index, shard, backend, weights, names, positions);
        _attentionPostNorm = config.PostNorms ? Named(names.AttentionPostNorm) : null;
        _mlpNorm = config.ParallelBlock ? null : Named(names.MlpNorm);
        _feedForward = FeedForward.Load(index, shard, backend, weights, names);
        _mlpPostNorm = config.PostNorms ? Named(names.MlpPostNorm) : null;
    }

    /// <summary>Enqueues the layer. Expects the sum so far in <c>Residual</c> and, but for the first layer, what the layer before adds to
    /// it in <c>Delta</c>; leaves its own contribution in <c>Delta</c>, so that each sum shares a pass over memory with the norm after
    /// it.</summary>
    public void Forward(Activations activations, int tokens, AttentionInputs[] inputs, KvCache cache)
    {
        var residual = activations.Residual.FirstRows(tokens);
        var normed = activations.Normed.FirstRows(tokens);
        var delta = activations.Delta.FirstRows(tokens);

        if (_index == 0)
        {
            _attentionNorm.Apply(residual, normed);
        }
        else
        {
            _attentionNorm.AddAndApply(residual, delta, normed);
        }

        _attention.Forward(activations, inputs, cache, normed, delta);
        if (_mlpNorm is null)
        {
            _feedForward.Forward(activations, normed, normed);
            _backend.Add(delta, normed);
            SumOverRanks(delta);
            return;
        }

        SumOverRanks(delta);

        _attentionPostNorm?.Apply(delta, delta);
        _mlpNorm.AddAndApply(residual, delta, normed);
        _feedForward.Forward(activations, normed, delta);
        SumOverRanks(delta);
        _mlpPostNorm?.Apply(delta, delta);
    }
    private void SumOverRanks(Tensor delta)
    {
        if (!_isWhole)
        {
            _backend.AllReduce(delta);
        }
    }
}
