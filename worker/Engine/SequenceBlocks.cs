using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <summary>Gives sequences their KV blocks, in a table for each group of layers, and takes them back. Called by <see cref="Scheduler"/>
/// and <see cref="Speculation.DraftModelProposer"/>, which decide who gets some; calls <see cref="BlockPool"/>.</summary>
/// <remarks>
/// A group whose layers reach only so far back (<see cref="KvReach"/>) keeps the blocks that the next query reads, and those after it:
/// <code>
///                       computed ┐    ┌ this step's
/// full      │  7 │  3 │ 12 │  5 │ 9  │
/// window    │  – │  – │ 11 │  8 │ 2  │      – given back: reusable, and a prefix hit until reused
///                     └ window ┘
/// </code>
/// A prefix is a hit when every group has what it reads of it: all blocks, or the last few.
/// </remarks>
/// <param name="hasher">Null turns prefix caching off.</param>
/// <param name="stepTokens">Most tokens of a sequence in one step.</param>
internal sealed class SequenceBlocks(BlockPool pool, BlockHasher? hasher, KvGroups groups, int stepTokens)
{
    /// <summary>What <see cref="FindPrefix"/> found, by group and index.</summary>
    private readonly int[][] _found = [.. groups.Reaches.Select(_ => Array.Empty<int>())];

    /// <summary>Blocks that no sequence holds.</summary>
    public int NumFree => pool.NumFree;

    public int BlockSize => pool.BlockSize;

    public int NumGroups => groups.Count;

    /// <summary>Blocks that a sequence lacks to write so many tokens, copies of those it shares with others included.</summary>
    public int CountMissing(Sequence sequence, int numTokens)
    {
        var missing = 0;
        foreach (var table in TablesOf(sequence))
        {
            missing += Math.Max(0, pool.BlocksFor(numTokens) - table.Count) + (WritesShared(sequence, table) ? 1 : 0);
        }

        return missing;
    }

    /// <summary>Whether the block that a sequence writes next is not its own alone.</summary>
    public bool WritesShared(Sequence sequence)
    {
        foreach (var table in sequence.BlockTables)
        {
            if (WritesShared(sequence, table))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives a sequence new blocks to write so many tokens to. There must be enough, see <see cref="CountMissing"/>.</summary>
    public void Grow(Sequence sequence, int numTokens)
    {
        var count = pool.BlocksFor(numTokens);
        foreach (var table in TablesOf(sequence))
        {
            Grow(table, count);
        }
    }

    /// <summary>Gives a sequence copies of its own of blocks that it shares and will write, made by the step before it computes
    /// anything.</summary>
    public void CopyShared(Sequence sequence, StepBatch batch)
    {
        foreach (var table in sequence.BlockTables)
        {
            if (WritesShared(sequence, table))
            {
                var written = sequence.NumComputedTokens / pool.BlockSize;
                var source = table.Blocks[written];
                var destination = pool.Allocate();
                table.Replace(written, destination);
                pool.Release(source);
                BatchPacker.AddBlockCopy(batch, source, destination);
            }
        }
    }

    /// <summary>Takes back the blocks that no query from this position on reads. A step that still runs may read them: whatever writes them
    /// comes after it.</summary>
    /// <param name="position">Not beyond what will stay computed.</param>
    public void FreeUnread(Sequence sequence, int position)
    {
        if (groups.Reaches[^1].IsFull)
        {
            return;
        }

        Register(sequence);
        for (var group = 0; group < sequence.BlockTables.Length; group++)
        {
            var table = sequence.BlockTables[group];
            for (var first = FirstRead(group, position); table.First < first;)
            {
                pool.Release(table.RemoveFirst());
            }
        }
    }

    /// <summary>Gives back blocks beyond so many tokens; they must be the sequence's own, and not offered for sharing.</summary>
    public void Trim(Sequence sequence, int numTokens)
    {
        foreach (var table in sequence.BlockTables)
        {
            pool.Trim(table, pool.BlocksFor(numTokens));
        }
    }

    /// <summary>Takes back all of a sequence's blocks.</summary>
    public void Release(Sequence sequence) => pool.Release(sequence.BlockTables);

    /// <summary>Offers a sequence's full blocks to the prefix cache.</summary>
    public void Register(Sequence sequence)
    {
        if (hasher is null)
        {
            return;
        }

        for (var full = sequence.NumComputedTokens / pool.BlockSize; sequence.NumRegisteredBlocks < full; sequence.NumRegisteredBlocks++)
        {
            var i = sequence.NumRegisteredBlocks;
            var hash = sequence.HashOfBlock(i, hasher, pool.BlockSize);
            for (var group = 0; group < groups.Count; group++)
            {
                pool.Register(sequence.BlockTables[group].Blocks[i], hash.In(group));
            }
        }
    }

    /// <summary>Finds the longest prefix that every group has in the cache, as far as it reads it.</summary>
    /// <param name="most">Leading blocks that may be hits.</param>
    /// <returns>Leading blocks; <see cref="TryBegin"/> may be called with them directly after.</returns>
    public int FindPrefix(Sequence sequence, int most)
    {
        if (hasher is null)
        {
            return 0;
        }

        // A shorter prefix may be none for a group that had a longer one, so it goes round until all agree.
        var (hits, agreeing) = (most, 0);
        for (var group = 0; agreeing < groups.Count; group = (group + 1) % groups.Count)
        {
            var own = PrefixIn(group, sequence, hits);
            agreeing = own == hits ? agreeing + 1 : 1;
            hits = own;
        }

        return hits;
    }

    /// <summary>Lets a sequence without blocks begin behind its cached prefix, with blocks for all its tokens: as many at once as it needs
    /// while they are computed.</summary>
    /// <returns>False when there are too few; nothing has changed then.</returns>
    public bool TryBegin(Sequence sequence, int hits)
    {
        // Hits in the free list leave it when they are shared, so they are no room for the rest.
        var needed = 0;
        for (var group = 0; group < groups.Count; group++)
        {
            needed += CountAtBegin(sequence, group, hits) - hits;
            for (var i = FirstRead(group, hits * pool.BlockSize); i < hits; i++)
            {
                needed += pool.IsFree(_found[group][i]) ? 1 : 0;
            }
        }

        if (needed > pool.NumFree)
        {
            return false;
        }

        // All hits are taken before anything is allocated: an allocation may reuse a free hit.
        var tables = TablesOf(sequence);
        for (var group = 0; group < groups.Count; group++)
        {
            var first = FirstRead(group, hits * pool.BlockSize);
            Share(_found[group].AsSpan(first..hits), first, tables[group]);
        }

        for (var group = 0; group < groups.Count; group++)
        {
            Grow(tables[group], CountAtBegin(sequence, group, hits));
        }

        sequence.NumRegisteredBlocks = hits;
        sequence.NumComputedTokens = hits * pool.BlockSize;
        return true;
    }

    /// <summary>Lets a fork start where its origin is, on the same blocks.</summary>
    public void Fork(Sequence origin, Sequence fork)
    {
        var tables = TablesOf(fork);
        for (var group = 0; group < groups.Count; group++)
        {
            var table = origin.BlockTables[group];
            Share(table.Blocks[table.First..pool.BlocksFor(origin.NumComputedTokens)], table.First, tables[group]);
        }

        fork.NumComputedTokens = origin.NumComputedTokens;
        fork.NumRegisteredBlocks = origin.NumRegisteredBlocks;
    }

    /// <summary>Hands a sequence's blocks over to one that goes on in its place.</summary>
    public static void Move(Sequence origin, Sequence heir)
    {
        heir.BlockTables = origin.BlockTables;
        origin.BlockTables = [];
        heir.NumComputedTokens = origin.NumComputedTokens;
        heir.NumRegisteredBlocks = origin.NumRegisteredBlocks;
    }

    private BlockTable[] TablesOf(Sequence sequence)
    {
        if (sequence.BlockTables.Length == 0)
        {
            sequence.BlockTables = [.. groups.Reaches.Select(_ => new BlockTable())];
        }

        return sequence.BlockTables;
    }

    private bool WritesShared(Sequence sequence, BlockTable table) =>
        sequence.NumComputedTokens / pool.BlockSize is var written && written < table.Count && pool.IsShared(table.Blocks[written]);

    private void Grow(BlockTable table, int count)
    {
        while (table.Count < count)
        {
            table.Add(pool.Allocate());
        }
    }

    private void Share(ReadOnlySpan<int> blocks, int first, BlockTable table)
    {
        table.Begin(first);
        foreach (var block in blocks)
        {
            pool.Share(block);
            table.Add(block);
        }
    }

    /// <summary>Index of the first block that a group's queries read from a position on.</summary>
    private int FirstRead(int group, int position) => groups.Reaches[group].FirstRead(position) / pool.BlockSize;

    private int CountAtBegin(Sequence sequence, int group, int hits)
    {
        var most = groups.Reaches[group].MostBlocks(sequence.Length, stepTokens, pool.BlockSize);
        return Math.Min(pool.BlocksFor(sequence.Length), FirstRead(group, hits * pool.BlockSize) + most);
    }

    private int PrefixIn(int group, Sequence sequence, int most)
    {
        if (_found[group].Length < most)
        {
            _found[group] = new int[2 * most];
        }

        if (groups.Reaches[group].IsFull)
        {
            for (var i = 0; i < most; i++)
            {
                if (!TryFind(sequence, group, i))
                {
                    return i;
                }
            }

            return most;
        }

        // From behind: only what the query behind the prefix reads has to be there.
        var hits = most;
        for (var i = most - 1; i >= FirstRead(group, hits * pool.BlockSize); i--)
        {
            hits = TryFind(sequence, group, i) ? hits : i;
        }

        return hits;
    }

    private bool TryFind(Sequence sequence, int group, int index) =>
        pool.TryFind(sequence.HashOfBlock(index, hasher!, pool.BlockSize).In(group), out _found[group][index]);
}
