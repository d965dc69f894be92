using Cluster.Worker.Tokenization.Models;

namespace Cluster.Worker.Tests.Tokenization;

public sealed class MergeLoopTests
{
    [Fact]
    public void The_queue_merges_like_the_scan()
    {
        Random random = new(3);
        Assert.All(Enumerable.Range(0, 300), round =>
        {
            var merges = RandomMerges(random, alphabet: 4, count: 40);
            int[] word = [.. Enumerable.Range(0, random.Next(1, 80)).Select(_ => random.Next(4))];
            int[] scanned = [.. word], queued = [.. word];
            int scannedCount = MergeLoop.RunByScan(scanned, merges), queuedCount = MergeLoop.RunByQueue(queued, merges, out _);
            Assert.Equal(scanned[..scannedCount], queued[..queuedCount]);
        });
    }

    [Fact]
    public void Merges_of_equal_ids_do_not_share_one_hash()
    {
        // Were they to collide, as keys left << 32 | right do, these look-ups would walk a chain of all of them and never end.
        const int Pairs = 100_000;
        Merges merges = new(Pairs);
        for (var id = 0; id < Pairs; id++)
        {
            merges.Add(id, id, new Merges.Merge(id, Pairs + id));
        }
        Assert.All(Enumerable.Range(0, Pairs), id => Assert.True(merges.TryGet(id, id, out var merge) && merge.Rank == id));
    }

    [Fact]
    public void The_cache_forgets_and_never_grows_beyond_two_generations()
    {
        WordCache cache = new(wordsPerGeneration: 4);
        for (var i = 0; i < 100; i++)
        {
            cache.Add($"word{i}", [i]);
        }
        int[] kept = [.. Enumerable.Range(0, 100).Where(i => cache.TryGet($"word{i}", out var ids) && ids[0] == i)];
        Assert.InRange(kept.Length, 4, 8);
        Assert.Contains(99, kept);
        cache.Add(new string('x', WordCache.MaxWordLength + 1), [1]);
        Assert.False(cache.TryGet(new string('x', WordCache.MaxWordLength + 1), out _));
    }

    private static Merges RandomMerges(Random random, int alphabet, int count)
    {
        Merges merges = new(count);
        for (var rank = 0; rank < count; rank++)
        {
            merges.Add(random.Next(alphabet + rank), random.Next(alphabet + rank), new Merges.Merge(rank, alphabet + rank));
        }
        return merges;
    }
}
