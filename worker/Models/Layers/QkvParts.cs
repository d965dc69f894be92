using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Where a checkpoint keeps a rank's query, key and value heads. All query heads are stacked first, then all key heads, then all
/// value heads, whatever the order they are stored in. Used by <see cref="Attention"/>.</summary>
/// <remarks>
/// <code>
/// Separate   q_proj [heads], k_proj [kvHeads], v_proj [kvHeads]
/// Stacked    [q q q q k k v v]
/// ByGroup    [q q k v q q k v]      the query heads of a key/value head, it, and its value
/// </code>
/// </remarks>
internal static class QkvParts
{
    /// <param name="names">Full names of the layers: three where they are separate, else one.</param>
    public static ImmutableArray<WeightPart> Of(Shard shard, ImmutableArray<string> names)
    {
        var config = shard.Config;
        var parts = config.QkvLayout switch
        {
            QkvLayout.Separate => Separate(shard, names),
            QkvLayout.Stacked => Stacked(shard, names[0]),
            _ => ByGroup(shard, names[0]),
        };
        return [.. parts.Select(part => part with { Transposed = config.TransposedLayers })];
    }

    private static WeightPart[] Separate(Shard shard, ImmutableArray<string> names)
    {
        var attended = shard.Heads.Times(shard.Config.HeadDim);
        var cached = shard.KvHeads.Times(shard.Config.HeadDim);
        return [new(names[0], attended), new(names[1], cached), new(names[2], cached)];
    }

    private static WeightPart[] Stacked(Shard shard, string name)
    {
        var (heads, kvHeads) = (shard.Heads, shard.KvHeads);
        return
        [
            Part(shard, name, heads.First, heads.Count),
            Part(shard, name, heads.Full + kvHeads.First, kvHeads.Count) with { Copied = shard.CopiesKvHeads },
            Part(shard, name, heads.Full + kvHeads.Full + kvHeads.First, kvHeads.Count) with { Copied = shard.CopiesKvHeads },
        ];
    }

    private static IEnumerable<WeightPart> ByGroup(Shard shard, string name)
    {
        var (heads, kvHeads) = (shard.Heads, shard.KvHeads);
        var queries = heads.Full / kvHeads.Full;
        int Stored(int group, int place) => (group * (queries + 2)) + place;
        IEnumerable<WeightPart> OfGroups(int place) =>
            from i in Enumerable.Range(kvHeads.First, kvHeads.Count)
            select Part(shard, name, Stored(i, place), 1) with { Copied = shard.CopiesKvHeads };

        // A rank's query heads may begin or end within a group.
        var ofQueries =
            from i in Enumerable.Range(kvHeads.First, kvHeads.Count)
            let first = Math.Max(heads.First, i * queries)
            let end = Math.Min(heads.First + heads.Count, (i + 1) * queries)
            select Part(shard, name, Stored(i, first % queries), end - first);
        return [.. ofQueries, .. OfGroups(queries), .. OfGroups(queries + 1)];
    }

    /// <summary>A run of heads of the one tensor.</summary>
    private static WeightPart Part(Shard shard, string name, int first, int count) =>
        new(name, new Slice(shard.Heads.Full + (2 * shard.KvHeads.Full), first, count).Times(shard.Config.HeadDim));
}
