using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>What attention knows of positions, shared by all layers: rotary tables, ALiBi's slopes, or neither where positions are part of
/// the embedding.</summary>
internal sealed class PositionEncoding
{
    private readonly ModelConfig _config;
    private readonly Dictionary<RopeParameters, RopeTable> _ropes = [];
    private readonly Tensor? _queryScales;

    public PositionEncoding(Shard shard, Backend backend, WeightLoader weights, int maxPositions)
    {
        _config = shard.Config;
        for (var layer = 0; layer < _config.NumLayers; layer++)
        {
            if (_config.RopeOf(layer) is { } rope && !_ropes.ContainsKey(rope))
            {
                _ropes.Add(rope, backend.LoadRope(rope.Frequencies(maxPositions)));
            }
        }

        _queryScales = _config.QueryScale is { } scale
            ? weights.Constant("query_scales", [.. Enumerable.Range(0, maxPositions).Select(scale.At)])
            : null;
        AlibiSlopes = _config.Alibi
            ? weights.Constant("alibi_slopes", [.. Slopes(shard.Heads.Full, _config.AlibiExponent)
                .Skip(shard.Heads.First).Take(shard.Heads.Count).Select(slope => slope * _config.AlibiScale)])
            : null;
    }

    public Tensor? AlibiSlopes { get; }

    /// <summary>Factors of a layer's queries by position; null where there are none.</summary>
    public Tensor? QueryScalesOf(int layer) =>
        _config.QueryScale is { UnrotatedOnly: true } && _config.RopeOf(layer) is not null ? null : _queryScales;

    /// <summary>Null where a layer rotates nothing.</summary>
    public RopeTable? RopeOf(int layer) => _config.RopeOf(layer) is { } rope ? _ropes[rope] : null;

    /// <summary>A geometric series for a power of two of heads; the heads beyond one take every second of the series of twice as many
    /// (Press et al., arXiv 2108.12409, as their code and transformers' <c>build_alibi_tensor</c> have it).</summary>
    /// <param name="exponent">The last slope of a power of two is 2 to the minus this.</param>
    internal static float[] Slopes(int heads, double exponent = 8)
    {
        var power = 1;
        while (2 * power <= heads)
        {
            power *= 2;
        }

        var slopes = new float[heads];
        for (var head = 0; head < heads; head++)
        {
            slopes[head] = (float)(head < power
                ? Math.Pow(2, -exponent * (head + 1) / power)
                : Math.Pow(2, -exponent / 2 * ((2 * (head - power)) + 1) / power));
        }

        return slopes;
    }
}
