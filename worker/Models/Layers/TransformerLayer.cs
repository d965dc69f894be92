using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>One decoder layer: attention and feed-forward, each adding to the residual stream h. Called by
/// <see cref="Transformer"/>.</summary>
/// <remarks>
/// By <see cref="LayerWiring"/>:
/// <code>
/// PreNorm        h += attention(norm h);                 h += mlp(norm h)
/// Sandwich       h += norm(attention(norm h));           h += norm(mlp(norm h))
/// PostNorm       h += norm(attention(h));                h += norm(mlp(h))
/// Parallel       n = norm h;                             h += attention(n) + mlp(n)
/// ParallelNorms  n = norm h; m = another norm of h;      h += attention(n) + mlp(m)
/// </code>
/// </remarks>
internal sealed class TransformerLayer
{
    private readonly int _index;
    private readonly bool _isWhole;
    private readonly bool _isParallel;
    private readonly float _residualScale;
    private readonly Backend _backend;
    private readonly IAttention _attention;
    private readonly FeedForward _feedForward;
    private readonly Norm? _attentionNorm;
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
        var wiring = config.Wiring;
        _isParallel = wiring is LayerWiring.Parallel or LayerWiring.ParallelNorms;
        _residualScale = config.ResidualScale;
        Norm? Named(string name, bool exists) => exists ? new(names.InLayer(index, name), config, backend, weights) : null;
        _attentionNorm = Named(names.AttentionNorm, wiring != LayerWiring.PostNorm);
        _attention = config.Latent is { } latent
            ? new LatentAttention(index, shard, latent, backend, weights, names, positions)
            : new Attention(index, shard, backend, weights, names, positions);
        _attentionPostNorm = Named(names.AttentionPostNorm, wiring is LayerWiring.Sandwich or LayerWiring.PostNorm);
        _mlpNorm = Named(names.MlpNorm, wiring is not (LayerWiring.PostNorm or LayerWiring.Parallel));
        _feedForward = FeedForward.Load(index, shard, backend, weights, names);
        _mlpPostNorm = Named(names.MlpPostNorm, wiring is LayerWiring.Sandwich or LayerWiring.PostNorm);
    }

    /// <summary>Enqueues the layer. Expects the sum so far in <c>Residual</c> and, but for the first layer, what the layer before adds to
    /// it in <c>Delta</c>; leaves its own contribution in <c>Delta</c>, so that each sum shares a pass over memory with the norm after
    /// it.</summary>
    public void Forward(Activations activations, int tokens, AttentionInputs[] inputs, KvCache cache)
    {
        var residual = activations.Residual.FirstRows(tokens);
        var normed = activations.Normed.FirstRows(tokens);
        var delta = activations.Delta.FirstRows(tokens);

        var attended = AddAndNormalize(residual, _index == 0 ? null : delta, _attentionNorm, normed);
        _attention.Forward(activations, inputs, cache, attended, delta);
        if (_isParallel)
        {
            _mlpNorm?.Apply(residual, normed);
            _feedForward.Forward(activations, normed, normed);
            _backend.Add(delta, normed);
            Complete(delta, null);
            return;
        }

        Complete(delta, _attentionPostNorm);
        _feedForward.Forward(activations, AddAndNormalize(residual, delta, _mlpNorm, normed), delta);
        Complete(delta, _mlpPostNorm);
    }

    /// <returns>What attention or MLP reads: the residual stream itself where there is no norm.</returns>
    private Tensor AddAndNormalize(Tensor residual, Tensor? delta, Norm? norm, Tensor normed)
    {
        switch (norm, delta)
        {
            case ({ }, null):
                norm.Apply(residual, normed);
                return normed;
            case ({ }, { } added):
                norm.AddAndApply(residual, added, normed);
                return normed;
            case (null, { } added):
                _backend.Add(residual, added);
                return residual;
            default:
                return residual;
        }
    }

    /// <summary>Makes a rank's output of attention or MLP what is added to the residual stream.</summary>
    private void Complete(Tensor delta, Norm? norm)
    {
        if (!_isWhole)
        {
            _backend.AllReduce(delta);
        }

        norm?.Apply(delta, delta);
        if (_residualScale != 1)
        {
            _backend.Scale(delta, _residualScale);
        }
    }
}
