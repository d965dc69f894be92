using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Layers;

/// <summary>What attention knows of positions, shared by all layers: a rotary table, ALiBi's slopes, or neither where positions are part of
/// the embedding.</summary>
internal sealed class PositionEncoding
{
    public PositionEncoding(Shard shard, Backend backend, WeightLoader weights, int maxPositions)
    {
        var config = shard.Config;
        Rope = config.Rope is { } rope ? backend.LoadRope(rope.Frequencies(maxPositions)) : null;
        AlibiSlopes = config.Alibi
            ? weights.Constant("alibi_slopes", Slopes(shard.Heads.Full).AsSpan(shard.Heads.First, shard.Heads.Count).ToArray())
            : null;
        QueryScales = config.QueryScale is { } scale
            ? weights.Constant("query_scales", [.. Enumerable.Range(0, maxPositions).Select(scale.At)])
            : null;
    }

    public RopeTable? Rope { get; }

    public Tensor? AlibiSlopes { get; }

    /// <summary><c>[1, maxPositions]</c>, see <see cref="AttentionSettings.QueryScales"/>; null where there are none.</summary>
    public Tensor? QueryScales { get; }

    /// <summary>A geometric series for a power of two of heads; the heads beyond one take every second of the series of twice as many
    /// (Press et al., arXiv 2108.12409, as their code and transformers' <c>build_alibi_tensor</c> have it).</summary>
    internal static float[] Slopes(int heads)
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
                ? Math.Pow(2, -8.0 * (head + 1) / power)
                : Math.Pow(2, -4.0 * ((2 * (head - power)) + 1) / power));
        }

        return slopes;
    }
}
