using System.Collections.Frozen;
using System.Collections.Immutable;
using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>How a multiplication is cut into tasks and blocks, see <see cref="GemmJob{V, TSimd, TFormat}"/>. No cut splits a sum: each
/// output takes its products in ascending k, so that all cuts give the same bits and the fastest may be taken.</summary>
/// <param name="TaskScale">Panels of the smallest task, as a multiple of what is usual.</param>
/// <param name="BatchPanels">Panels whose results so far are kept together; an even number, at most <see cref="MostBatchPanels"/>.</param>
/// <param name="BlockKilobytes">Weights of a panel that all tiles of a chunk pass before the next; at most
/// <see cref="MostBlockKilobytes"/>. With a tile's inputs they should fit L1.</param>
/// <param name="TilesPerChunk">Tiles of rows that share a panel in cache; at most <see cref="MostTiles"/>.</param>
internal readonly record struct GemmCut(double TaskScale, int BatchPanels, int BlockKilobytes, int TilesPerChunk)
{
    public const int MostBatchPanels = 8;
    public const int MostBlockKilobytes = 32;
    public const int MostTiles = 20;

    /// <summary>Where nothing was tuned.</summary>
    public static GemmCut Default { get; } = new(1, MostBatchPanels, MostBlockKilobytes / 2, MostTiles);

    /// <summary>For one tile of rows, which streams the weights: only tasks can be larger or smaller.</summary>
    public static ImmutableArray<string> ForOneTile { get; } = [TunedVariant.Default, "Tasks_4", "Tasks_2", "Tasks_0.5", "Tasks_0.25"];

    /// <summary>For several.</summary>
    public static ImmutableArray<string> ForManyTiles { get; } =
    [
        TunedVariant.Default, "Tasks_4", "Tasks_2", "Batch_4", "Batch_2", "Block_32", "Block_8", "Chunk_10", "Chunk_5",
        "Batch_4_Block_8", "Chunk_10_Block_8", "Chunk_10_Tasks_2",
    ];

    private static readonly FrozenDictionary<string, GemmCut> Named =
        ForOneTile.Concat(ForManyTiles).Distinct().ToFrozenDictionary(name => name, Parse, StringComparer.Ordinal);

    /// <param name="variant">Null for the default, as is a name of another build.</param>
    public static GemmCut Of(string? variant) => variant is not null && Named.TryGetValue(variant, out var cut) ? cut : Default;

    private static GemmCut Parse(string name)
    {
        var cut = Default;
        var words = name.Split('_');
        for (var i = 0; i + 1 < words.Length; i += 2)
        {
            var value = double.Parse(words[i + 1], System.Globalization.CultureInfo.InvariantCulture);
            cut = words[i] switch
            {
                "Tasks" => cut with { TaskScale = value },
                "Batch" => cut with { BatchPanels = (int)value },
                "Block" => cut with { BlockKilobytes = (int)value },
                _ => cut with { TilesPerChunk = (int)value },
            };
        }

        return cut;
    }
}
