using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <summary>Writes the sequences of a step into a <see cref="StepBatch"/>. Called by <see cref="Scheduler"/>; allocates only when a step
/// is larger than every one before it.</summary>
internal static class BatchPacker
{
    /// <param name="scheduled">The step's sequences; gets their <see cref="ScheduledSequence.LogitIndex"/> and
    /// <see cref="ScheduledSequence.ScoreIndex"/>.</param>
    /// <param name="numGroups">Block tables that each sequence has.</param>
    public static void Pack(StepBatch batch, Span<ScheduledSequence> scheduled, int blockSize, int numGroups)
    {
        batch.NumGroups = numGroups;
        Size(batch, scheduled, blockSize);
        var rows = 0;
        var sequences = 0;
        var logits = 0;

        // Decode rows first, as StepBatch promises.
        for (var pass = 0; pass < 2; pass++)
        {
            foreach (ref var entry in scheduled)
            {
                if (entry.NumTokens == 1 != (pass == 0))
                {
                    continue;
                }

                PackSequence(batch, entry, sequences++, rows, blockSize);
                rows += entry.NumTokens;
                if (entry.NumScored > 0)
                {
                    var behind = entry.Sequence.NumComputedTokens - entry.FirstScored;
                    entry = entry with { ScoreIndex = logits };
                    for (var i = 0; i < entry.NumScored; i++)
                    {
                        batch.LogitRows[logits++] = rows - behind + i;
                    }
                }

                if (entry.Sequence.NumComputedTokens >= entry.Sequence.Length)
                {
                    entry = entry with { LogitIndex = logits };
                    for (var behind = entry.Sequence.NumDraftTokens; behind >= 0; behind--)
                    {
                        batch.LogitRows[logits++] = rows - 1 - behind;
                    }
                }
            }
        }

        batch.QueryStarts[sequences] = rows;
        batch.NumLogits = logits;
    }

    /// <summary>Has the step copy a block before it computes anything.</summary>
    public static void AddBlockCopy(StepBatch batch, int source, int destination)
    {
        var end = 2 * batch.NumBlockCopies++;
        if (batch.BlockCopies.Length < end + 2)
        {
            var copies = batch.BlockCopies;
            Array.Resize(ref copies, Math.Max(16, 2 * copies.Length));
            batch.BlockCopies = copies;
        }

        batch.BlockCopies[end] = source;
        batch.BlockCopies[end + 1] = destination;
    }

    private static void Size(StepBatch batch, ReadOnlySpan<ScheduledSequence> scheduled, int blockSize)
    {
        batch.NumTokens = batch.MaxQueryLength = batch.MaxContextLength = 0;
        batch.NumSequences = scheduled.Length;
        var mostLogits = scheduled.Length;
        foreach (var entry in scheduled)
        {
            batch.NumTokens += entry.NumTokens;
            mostLogits += entry.NumScored + entry.Sequence.NumDraftTokens;
            batch.MaxQueryLength = Math.Max(batch.MaxQueryLength, entry.NumTokens);
            batch.MaxContextLength = Math.Max(batch.MaxContextLength, entry.Sequence.NumComputedTokens);
        }

        batch.MaxBlocks = (batch.MaxContextLength + blockSize - 1) / blockSize;
        batch.TokenIds = Grow(batch.TokenIds, batch.NumTokens);
        batch.Positions = Grow(batch.Positions, batch.NumTokens);
        batch.SlotMapping = Grow(batch.SlotMapping, batch.NumGroups * batch.NumTokens);
        batch.QueryStarts = Grow(batch.QueryStarts, batch.NumSequences + 1);
        batch.ContextLengths = Grow(batch.ContextLengths, batch.NumSequences);
        batch.BlockTables = Grow(batch.BlockTables, batch.NumGroups * batch.NumSequences * batch.MaxBlocks);
        batch.LogitRows = Grow(batch.LogitRows, mostLogits);
    }

    private static void PackSequence(StepBatch batch, ScheduledSequence entry, int sequence, int firstRow, int blockSize)
    {
        var tokens = entry.Sequence.TokensWithDraft;
        var context = entry.Sequence.NumComputedTokens;
        var firstPosition = context - entry.NumTokens;
        batch.QueryStarts[sequence] = firstRow;
        batch.ContextLengths[sequence] = context;
        tokens[firstPosition..context].CopyTo(batch.TokenIds.AsSpan(firstRow));
        for (var i = 0; i < entry.NumTokens; i++)
        {
            batch.Positions[firstRow + i] = firstPosition + i;
        }

        var used = (context + blockSize - 1) / blockSize;
        for (var group = 0; group < batch.NumGroups; group++)
        {
            var blocks = entry.Sequence.BlockTables[group].Blocks;
            var slots = batch.SlotMapping.AsSpan(group * batch.NumTokens + firstRow, entry.NumTokens);
            for (var i = 0; i < slots.Length; i++)
            {
                slots[i] = blocks[(firstPosition + i) / blockSize] * blockSize + (firstPosition + i) % blockSize;
            }

            var row = batch.BlockTables.AsSpan((group * batch.NumSequences + sequence) * batch.MaxBlocks, batch.MaxBlocks);
            blocks[..used].CopyTo(row);
            row[used..].Clear();
        }
    }

    private static int[] Grow(int[] array, int length) => array.Length >= length ? array : new int[Math.Max(length, 2 * array.Length)];
}
