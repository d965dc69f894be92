using System.Buffers;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>BPE's loop: join the adjacent pair of lowest rank, the leftmost among equals, until no pair is in the table
/// (Sennrich et al. 2016, arXiv:1508.07909). Called by <see cref="Bpe"/> with the ids of a word's characters.</summary>
internal static class MergeLoop
{
    // Below this the scan of the whole word for each merge is cheaper than a queue.
    private const int ScanLimit = 24;

    /// <summary>Joins in place; returns how many ids are left at the front of <paramref name="symbols"/>.</summary>
    public static int Run(Span<int> symbols, Merges merges) =>
        symbols.Length <= ScanLimit ? RunByScan(symbols, merges) : RunByQueue(symbols, merges, out _);

    /// <summary>O(n²), no allocation.</summary>
    /// <param name="except">A token that nothing is joined to.</param>
    public static int RunByScan(Span<int> symbols, Merges merges, int except = -1)
    {
        var count = symbols.Length;
        while (count > 1)
        {
            var best = -1;
            Merges.Merge bestMerge = default;
            for (var i = 0; i + 1 < count; i++)
            {
                if (merges.TryGet(symbols[i], symbols[i + 1], out var merge) && merge.Id != except
                    && (best < 0 || merge.Rank < bestMerge.Rank))
                {
                    (best, bestMerge) = (i, merge);
                }
            }
            if (best < 0)
            {
                break;
            }
            symbols[best] = bestMerge.Id;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            count--;
        }
        return count;
    }

    /// <summary>O(n log n): a queue of candidate pairs over a linked list of the symbols still alive.
    /// <code>symbols  h   e   l   l   o        queue (rank, position)
    /// next     1   2   3   4   5
    /// previous -1  0   1   2   3</code>
    /// A candidate whose pair changed after it was queued is recognised by its rank no longer being that of the pair, and
    /// skipped.</summary>
    /// <param name="dequeued">Candidates looked at, a measure of the work.</param>
    public static int RunByQueue(Span<int> symbols, Merges merges, out long dequeued)
    {
        dequeued = 0;
        var length = symbols.Length;
        var links = ArrayPool<int>.Shared.Rent(2 * length);
        Span<int> next = links.AsSpan(0, length), previous = links.AsSpan(length, length);
        PriorityQueue<int, ulong> queue = new(length);
        for (var i = 0; i < length; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        for (var i = 0; i + 1 < length; i++)
        {
            Offer(symbols, merges, queue, i, i + 1);
        }
        const int Dead = -1;
        while (queue.TryDequeue(out var left, out var priority))
        {
            dequeued++;
            var right = next[left];
            if (symbols[left] == Dead || right >= length
                || !merges.TryGet(symbols[left], symbols[right], out var merge) || merge.Rank != (int)(priority >> 32))
            {
                continue;
            }
            symbols[left] = merge.Id;
            symbols[right] = Dead;
            var after = next[left] = next[right];
            if (after < length)
            {
                previous[after] = left;
                Offer(symbols, merges, queue, left, after);
            }
            if (previous[left] >= 0)
            {
                Offer(symbols, merges, queue, previous[left], left);
            }
        }
        var count = 0;
        for (var i = 0; i < length; i = next[i])
        {
            symbols[count++] = symbols[i];
        }
        ArrayPool<int>.Shared.Return(links);
        return count;
    }

    private static void Offer(ReadOnlySpan<int> symbols, Merges merges, PriorityQueue<int, ulong> queue, int left, int right)
    {
        if (merges.TryGet(symbols[left], symbols[right], out var merge))
        {
            queue.Enqueue(left, ((ulong)(uint)merge.Rank << 32) | (uint)left);
        }
    }
}
