using System.Collections.Immutable;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Running;

/// <summary>Which layers share KV blocks. Layers that reach equally far back are put into groups, all of one size, so that one pool of
/// blocks serves them all; each sequence has a block table for every group, and gives back blocks that a group reads no more. Layers ask
/// for their <see cref="PlaceOf"/>; <see cref="CapacityPlan"/> and the engine count blocks. The rules are those of vLLM's hybrid KV cache
/// manager.</summary>
/// <remarks>
/// Six layers, of which every third is full, in groups of two:
/// <code>
/// layer    0  1  2  3  4  5          pool:  one block = 16 tokens of the layers of one group
/// reach    w  w  f  w  w  f          │ region 0 │ region 1 │   keys and values of the group's first, of its second layer
/// group    1  1  0  2  2  0
/// region   0  1  0  0  1  1          full ones come first; the last group of a kind may have regions without a layer
/// </code>
/// A model whose layers are all of one kind has one group with all of them.
/// </remarks>
internal sealed class KvGroups
{
    /// <summary>A group must not be much larger than a kind has layers, or the rest of it is wasted; but where kinds have nearly equally
    /// many, one group each is better than several small ones.</summary>
    private const double NearlyEqual = 1.25;

    private readonly ImmutableArray<KvPlace> _places;

    /// <param name="layers">How far each layer reaches; at least one.</param>
    public KvGroups(IReadOnlyList<KvReach> layers)
    {
        var kinds = layers.CountBy(reach => reach).OrderBy(kind => kind.Key.IsFull ? 0 : 1).ToList();
        var (fewest, most) = (kinds.Min(kind => kind.Value), kinds.Max(kind => kind.Value));
        LayersPerGroup = most < NearlyEqual * fewest ? most : fewest;
        Reaches = [.. kinds.SelectMany(kind => Enumerable.Repeat(kind.Key, (kind.Value + LayersPerGroup - 1) / LayersPerGroup))];

        var seen = new Dictionary<KvReach, int>();
        var places = ImmutableArray.CreateBuilder<KvPlace>(layers.Count);
        foreach (var reach in layers)
        {
            var number = seen.GetValueOrDefault(reach);
            seen[reach] = number + 1;
            places.Add(new KvPlace(Reaches.IndexOf(reach) + number / LayersPerGroup, number % LayersPerGroup));
        }

        _places = places.MoveToImmutable();
    }

    /// <summary>One group that reads everything.</summary>
    public static KvGroups One { get; } = new([default]);

    public int Count => Reaches.Length;

    /// <summary>Regions of a block.</summary>
    public int LayersPerGroup { get; }

    /// <summary>Of each group; full ones first.</summary>
    public ImmutableArray<KvReach> Reaches { get; }

    /// <summary>The groups of a model. A limit that no sequence can exceed is none.</summary>
    public static KvGroups Of(ModelConfig config)
    {
        int Limit(int positions) => positions < config.MaxLength ? positions : 0;
        return new KvGroups(
        [
            .. Enumerable.Range(0, config.NumLayers)
                .Select(layer => new KvReach(Limit(config.SlidingWindow(layer)), Limit(config.AttentionChunk(layer)))),
        ]);
    }

    /// <summary>Where a layer's keys and values are.</summary>
    public KvPlace PlaceOf(int layer) => _places[layer];

    /// <summary>Most blocks that a sequence of this length holds at once, over all groups.</summary>
    /// <param name="stepTokens">Most of its tokens in one step.</param>
    public long BlocksFor(int length, int stepTokens, int blockSize) =>
        Reaches.Sum(reach => (long)reach.MostBlocks(length, stepTokens, blockSize));

    /// <summary>The longest sequence that always fits into so many blocks; 0 when none does.</summary>
    public int LongestIn(int blocks, int stepTokens, int blockSize)
    {
        var (fits, most) = (0, int.MaxValue / blockSize);
        while (fits < most)
        {
            var middle = most - (most - fits) / 2;
            (fits, most) = BlocksFor(middle * blockSize, stepTokens, blockSize) <= blocks ? (middle, most) : (fits, middle - 1);
        }

        return fits * blockSize;
    }

    /// <summary>For the start log.</summary>
    public override string ToString() =>
        string.Join(", ", Reaches.GroupBy(reach => reach).Select(kind => $"{kind.Count()} {kind.Key}"));
}
