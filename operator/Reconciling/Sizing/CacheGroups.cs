using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>How a worker lays out the cache of layers that reach back differently far: layers of one reach are in groups of one size, and a
/// block holds some tokens of one group's layers. The worker's <c>KvGroups</c> and <c>KvReach</c> say the same.</summary>
/// <remarks>
/// <code>
/// Gemma 3 27B: 10 layers see all, 52 the latest 1024 tokens → groups of 10: 1 of the former, 6 of the latter (the last one has 2 layers)
/// </code></remarks>
internal sealed class CacheGroups
{
    /// <summary>Tokens of a block.</summary>
    private const int BlockSize = 16;

    private readonly int _layers;
    private readonly IReadOnlyList<(int Window, int Count)> _groups;

    private CacheGroups(int layers, IReadOnlyList<(int Window, int Count)> groups) => (_layers, _groups) = (layers, groups);

    /// <param name="windows">Of each layer; 0 for all tokens. Empty where all layers see all.</param>
    /// <param name="longest">Tokens of the model's longest sequence: a window as large is none.</param>
    public static CacheGroups Of(int layers, ImmutableArray<int> windows, int longest)
    {
        var kinds = windows.IsEmpty
            ? [(Window: 0, Count: layers)]
            : windows.GroupBy(w => w >= longest ? 0 : w).Select(g => (Window: g.Key, Count: g.Count())).ToList();
        var fewest = kinds.Min(k => k.Count);
        var most = kinds.Max(k => k.Count);

        // A little padding costs less than blocks of few layers.
        var size = most < 1.25 * fewest ? most : fewest;
        return new CacheGroups(size, [.. kinds.Select(k => (k.Window, (k.Count + size - 1) / size))]);
    }

    /// <summary>Layers a token of a short request is kept for, padding of the last groups included.</summary>
    public int LayersOfToken => _layers * _groups.Sum(g => g.Count);

    /// <param name="tokens">Of one sequence.</param>
    /// <param name="stepTokens">Most tokens that a step adds: a layer with a window forgets between steps, not within one.</param>
    /// <returns>Tokens that are kept, added up over layers.</returns>
    public long LayerTokens(int tokens, int stepTokens)
    {
        var all = Blocks(tokens);
        return _layers * (long)BlockSize
            * _groups.Sum(g => g.Count * (g.Window == 0 ? all : Math.Min(all, Blocks((long)g.Window - 1 + stepTokens) + 1)));
    }

    private static long Blocks(long tokens) => (tokens + BlockSize - 1) / BlockSize;
}
