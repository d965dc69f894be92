using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Normalizes a layer's query and key heads, in one of the ways of <see cref="QueryKeyNorm"/>. Called by
/// <see cref="Attention"/>.</summary>
internal sealed class HeadNorms
{
    private readonly Backend _backend;
    private readonly QueryKeyNorm _kind;
    private readonly bool _isWhole;
    private readonly int _heads;
    private readonly int _kvHeads;
    private readonly int _headDim;

    /// <summary>Features that all ranks normalize together, of queries and of keys; copies of key heads count as often as they are
    /// there.</summary>
    private readonly (int Query, int Key) _features;
    private readonly float _epsilon;
    private readonly Tensor _query;
    private readonly Tensor _key;

    private HeadNorms(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names)
    {
        var config = shard.Config;
        _backend = backend;
        _kind = config.QueryKeyNorm;
        _isWhole = shard.IsWhole;
        _heads = config.NumHeads;
        _kvHeads = config.NumKvHeads;
        _headDim = config.HeadDim;
        _features = (shard.Size * _heads * _headDim, shard.Size * _kvHeads * _headDim);
        _epsilon = config.NormEpsilon;
        (_query, _key) = (Load(names.QueryNorm, shard.Heads), Load(names.KeyNorm, shard.KvHeads));

        Tensor Load(string name, Slice heads)
        {
            var tensor = names.InLayer(layer, name) + ".weight";
            return _kind switch
            {
                QueryKeyNorm.LayerNormPerHead => weights.Rows(tensor, heads, _headDim),
                QueryKeyNorm.AllHeads => weights.Vector(tensor, heads.Times(_headDim), config.NormWeightOffset),
                QueryKeyNorm.Weightless => weights.Constant(tensor, [.. Enumerable.Repeat(1f, _headDim)]),
                _ => weights.Vector(tensor, _headDim, config.NormWeightOffset),
            };
        }
    }

    /// <summary>Heads must be rotated before they are normalized.</summary>
    public bool FollowRotation => _kind == QueryKeyNorm.AfterRotation;

    /// <summary>Null where the layer does not normalize heads.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public static HeadNorms? Load(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names) =>
        shard.Config.QueryKeyNorm switch
        {
            QueryKeyNorm.None => null,
            QueryKeyNorm.Weightless when shard.Config.RopeOf(layer) is null => null,
            _ => new HeadNorms(layer, shard, backend, weights, names),
        };

    /// <summary>Normalizes heads one by one, rotates them, and writes the cache.</summary>
    /// <returns>False where they are normalized in another way: nothing is done then.</returns>
    public bool TryApplyWithRope(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int region, KvScales? scales)
    {
        if (_kind is QueryKeyNorm.LayerNormPerHead or QueryKeyNorm.AllHeads || FollowRotation)
        {
            return false;
        }

        // Rotation changes no head's length, so that the weightless norm may come before it.
        _backend.NormRopeAndCache(qkv, _query, _key, _epsilon, rope, inputs, cache, region, scales);
        return true;
    }

    /// <summary>Rotates what is normalized.</summary>
    /// <param name="qkv"><c>[tokens, (heads + 2·kvHeads)·headDim]</c>.</param>
    public void Rotate(Tensor qkv, RopeTable rope, Tensor positions) =>
        _backend.Rotate(qkv, rope, positions, 0, _heads + _kvHeads, _headDim);

    /// <param name="qkv"><c>[tokens, (heads + 2·kvHeads)·headDim]</c>, normalized in place.</param>
    public void Apply(Activations activations, Tensor qkv)
    {
        switch (_kind)
        {
            case QueryKeyNorm.LayerNormPerHead:
                _backend.LayerNormHeads(qkv, 0, _heads, _query, _epsilon);
                _backend.LayerNormHeads(qkv, _heads, _kvHeads, _key, _epsilon);
                break;
            case QueryKeyNorm.AllHeads:
                var sums = activations.HeadSquares!.Value.FirstRows(qkv.Rows);
                _backend.SumSquares(qkv, 0, _query.Columns, sums, 0);
                _backend.SumSquares(qkv, _query.Columns, _key.Columns, sums, 1);
                if (!_isWhole)
                {
                    _backend.AllReduce(sums);
                }

                _backend.RmsScale(qkv, 0, _query, sums, 0, _features.Query, _epsilon);
                _backend.RmsScale(qkv, _query.Columns, _key, sums, 1, _features.Key, _epsilon);
                break;
            default:
                _backend.RmsNormHeads(qkv, _heads, _query, _kvHeads, _key, _epsilon);
                break;
        }
    }
}
