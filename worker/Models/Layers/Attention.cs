using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>A layer's attention: projection to heads, positions, cache, softmax over the past, projection back. Called by
/// <see cref="TransformerLayer"/>.</summary>
internal sealed class Attention : IAttention
{
    private readonly KvPlace _place;
    private readonly Backend _backend;
    private readonly AttentionSettings _settings;
    private readonly RopeTable? _rope;
    private readonly LinearWeight _qkv;
    private readonly LinearWeight _output;
    private readonly HeadNorms? _norms;

    /// <param name="positions">Shared by all layers.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public Attention(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names, PositionEncoding positions)
    {
        var config = shard.Config;
        _place = shard.KvGroups.PlaceOf(layer);
        _backend = backend;
        _rope = positions.RopeOf(layer);
        string Named(string name) => names.InLayer(layer, name);
        _settings = new AttentionSettings(
            config.NumHeads, config.AttentionScale, config.SlidingWindow(layer), config.AttentionSoftCap, positions.AlibiSlopes)
        {
            CacheScales = weights.CacheScales(Named(names.Qkv[0])),
            QueryScales = positions.QueryScalesOf(layer),
            Chunk = config.AttentionChunk(layer),
            Sinks = config.AttentionSinks ? weights.Vector(Named(names.Sinks), shard.Heads) : null,
        };

        var attended = shard.Heads.Times(config.HeadDim);
        _qkv = weights.Linear(
            Named("qkv"), QkvParts.Of(shard, [.. names.Qkv.Select(Named)]), config.HiddenSize, config.QkvBias);
        _output = weights.Linear(
            Named(names.AttentionOutput), [new(Named(names.AttentionOutput), config.HiddenSize) { Transposed = config.TransposedLayers }],
            attended, config.AttentionOutputBias);
        _norms = HeadNorms.Load(layer, shard, backend, weights, names);
    }

    public void Forward(Activations activations, AttentionInputs[] inputs, KvCache cache, Tensor x, Tensor result)
    {
        var own = inputs[_place.Group];
        var heads = activations.Qkv.FirstRows(x.Rows);
        var attended = activations.Attention.FirstRows(x.Rows);
        _backend.Linear(x, _qkv, heads);
        var rope = _rope;
        if (_norms is { FollowRotation: true } && rope is not null)
        {
            _norms.Rotate(heads, rope, own.Positions);
            rope = null;
        }

        if (_norms?.TryApplyWithRope(heads, rope, own, cache, _place.Region, _settings.CacheScales) != true)
        {
            _norms?.Apply(activations, heads);
            _backend.RopeAndCache(heads, rope, own, cache, _place.Region, _settings.CacheScales);
        }

        _backend.PagedAttention(heads, own, cache, _place.Region, _settings, attended);
        _backend.Linear(attended, _output, result);
    }
}
