using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>A layer's multi-head latent attention (DeepSeek-AI, arXiv 2405.04434, section 2.1), in its absorbed form: keys and values are
/// never made, queries are taken to where the latents are. Called by <see cref="TransformerLayer"/>.</summary>
/// <remarks>
/// With c the normalized latent of a token, r the rotated part of its key, and K, V a head's two matrices out of c:
/// <code>
/// q·k = q_nope · (K c) + q_rope · r = [Kᵀ q_nope, q_rope] · [c, r]        [c, r] is what is cached: all heads share it
/// out = Σ w (V c) = V Σ w c                                               values are the first elements of keys
/// </code>
/// A head's matrices are <see cref="LatentMatrices"/>. Ranks divide the heads; each computes and caches every token's latent.
/// </remarks>
internal sealed class LatentAttention : IAttention
{
    /// <summary>Of the norms of latents: HF modeling_deepseek_v2.py and modeling_deepseek_v3.py do not give them
    /// <c>rms_norm_eps</c>.</summary>
    private const float NormEpsilon = 1e-6f;

    private readonly KvPlace _place;
    private readonly Backend _backend;
    private readonly LatentConfig _latent;
    private readonly AttentionSettings _settings;
    private readonly RopeTable _rope;
    private readonly LinearWeight? _queryDown;
    private readonly Tensor? _queryNorm;
    private readonly LinearWeight _queries;
    private readonly LinearWeight _down;
    private readonly Tensor _norm;
    private readonly LatentMatrices _heads;
    private readonly LinearWeight _output;

    /// <param name="positions">Shared by all layers.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LatentAttention(
        int layer, Shard shard, LatentConfig latent, Backend backend, WeightLoader weights, WeightNames names, PositionEncoding positions)
    {
        var config = shard.Config;
        _place = shard.KvGroups.PlaceOf(layer);
        _backend = backend;
        _latent = latent;
        _rope = positions.RopeOf(layer)!;
        string Named(string name) => names.InLayer(layer, name);
        _settings = new AttentionSettings(config.NumHeads, config.AttentionScale)
        {
            CacheScales = weights.CacheScales(Named(names.Latent.KeyValueDown)),
        };
        var queries = shard.Heads.Times(latent.QueryDim);
        if (latent.QueryRank is { } rank)
        {
            _queryDown = weights.Linear(Named(names.Latent.QueryDown), rank, config.HiddenSize, config.QkvBias);
            _queryNorm = weights.Vector(Named(names.Latent.QueryNorm) + ".weight", rank);
            _queries = weights.Linear(Named(names.Latent.QueryUp), queries, rank, bias: false);
        }
        else
        {
            _queries = weights.Linear(Named(names.Latent.Query), queries, config.HiddenSize, bias: false);
        }

        _down = weights.Linear(Named(names.Latent.KeyValueDown), latent.CacheDim, config.HiddenSize, config.QkvBias);
        _norm = weights.Vector(Named(names.Latent.KeyValueNorm) + ".weight", latent.KvRank);
        _heads = LatentMatrices.Load(Named(names.Latent.KeyValueUp), latent, shard.Heads, backend, weights);
        _output = weights.Linear(
            Named(names.AttentionOutput), config.HiddenSize, shard.Heads.Times(latent.ValueDim), config.AttentionOutputBias);
    }

    public void Forward(Activations activations, AttentionInputs[] inputs, KvCache cache, Tensor x, Tensor result)
    {
        var buffers = activations.Latent!;
        var own = inputs[_place.Group];
        var queries = activations.Qkv.FirstRows(x.Rows);
        if (_queryDown is null)
        {
            _backend.Linear(x, _queries, queries);
        }
        else
        {
            var low = buffers.Queries!.Value.FirstRows(x.Rows);
            _backend.Linear(x, _queryDown, low);
            _backend.RmsNorm(low, _queryNorm!.Value, NormEpsilon, low);
            _backend.Linear(low, _queries, queries);
        }

        var cached = buffers.Cached.FirstRows(x.Rows);
        _backend.Linear(x, _down, cached);
        _backend.RmsNormHeads(cached, 0, 1, _norm, NormEpsilon);
        _backend.Rotate(cached, _rope, own.Positions, 0, 1, _latent.CacheDim);
        _backend.LatentToCache(cached, own, cache, _place.Region, _settings.CacheScales);

        var absorbed = buffers.Absorbed.FirstRows(x.Rows);
        var mixed = buffers.Mixed.FirstRows(x.Rows);
        var attended = activations.Attention.FirstRows(x.Rows);
        _backend.HeadLinear(queries, _heads.Keys, absorbed);
        _backend.Rotate(absorbed, _rope, own.Positions, 0, _settings.Heads, _latent.CacheDim);
        _backend.PagedAttention(absorbed, own, cache, _place.Region, _settings, mixed);
        _backend.HeadLinear(mixed, _heads.Values, attended);
        _backend.Linear(attended, _output, result);
    }
}
