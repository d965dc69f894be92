using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>One decoder layer: attention and feed-forward, each on a normalized copy of the residual stream. Called by <see cref="Transformer"/>.</summary>
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
    private readonly int index;
    private readonly bool isWhole;
    private readonly Backend backend;
    private readonly Attention attention;
    private readonly FeedForward feedForward;
    private readonly Norm attentionNorm;
    private readonly Norm? attentionPostNorm;
    private readonly Norm? mlpNorm;
    private readonly Norm? mlpPostNorm;

    /// <summary>Loads the layer's weights.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public TransformerLayer(int index, Shard shard, Backend backend, WeightLoader weights, WeightNames names, PositionEncoding positions)
    {
        this.index = index;
        this.backend = backend;
        isWhole = shard.IsWhole;
        var config = shard.Config;
        Norm Named(string name) => new(names.InLayer(index, name), config, backend, weights);
        attentionNorm = Named(names.AttentionNorm);
        attention = new Attention(index, shard, backend, weights, names, positions);
        attentionPostNorm = config.PostNorms ? Named(names.AttentionPostNorm) : null;
        mlpNorm = config.ParallelBlock ? null : Named(names.MlpNorm);
        feedForward = FeedForward.Load(index, shard, backend, weights, names);
        mlpPostNorm = config.PostNorms ? Named(names.MlpPostNorm) : null;
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
            attentionNorm.Apply(residual, normed);
        }
        else
        {
            attentionNorm.AddAndApply(residual, delta, normed);
        }

        attention.Forward(activations, inputs, cache, normed, delta);
        if (mlpNorm is null)
        {
            feedForward.Forward(activations, normed, normed);
            backend.Add(delta, normed);
            SumOverRanks(delta);
            return;
        }

        SumOverRanks(delta);

        attentionPostNorm?.Apply(delta, delta);
        mlpNorm.AddAndApply(residual, delta, normed);
        feedForward.Forward(activations, normed, delta);
        SumOverRanks(delta);
        mlpPostNorm?.Apply(delta, delta);
    }
    private void SumOverRanks(Tensor delta)
    {
        if (!isWhole)
        {
            backend.AllReduce(delta);
        }
    }
}
