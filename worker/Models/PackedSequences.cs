namespace Cluster.Worker.Models;

/// <summary>A fixed set of sequences run through a <see cref="ModelRunner"/> in packed steps, without a scheduler: what verification and evaluation
/// need. Fill a step with <see cref="Add"/>, then <see cref="Run"/> it.</summary>
/// <remarks>Sequence s has the blocks s, s + count, s + 2·count, …: neighbours in a sequence are never neighbours in memory, so that a
/// backend that ignored the block table would be found out.</remarks>
internal sealed class PackedSequences
{
    private readonly IModelRunner runner;
    private readonly int blocksPerSequence;
    private readonly int[] computed;
    private readonly StepBatch batch;

    /// <param name="count">Sequences; each may be in a step once.</param>
    /// <param name="maxLength">Tokens that each may come to have.</param>
    /// <exception cref="ArgumentException">The runner cannot hold them all.</exception>
    public PackedSequences(IModelRunner runner, int count, int maxLength)
    {
        this.runner = runner;
        blocksPerSequence = (maxLength + runner.BlockSize - 1) / runner.BlockSize;
        if (count > runner.MaxSequences || maxLength > runner.MaxModelLength || (long)count * blocksPerSequence > runner.NumBlocks)
        {
            throw new ArgumentException(
                $"{count} sequences of {maxLength} tokens do not fit a runner of {runner.MaxSequences} sequences of {runner.MaxModelLength} tokens "
                + $"and {runner.NumBlocks} blocks of {runner.BlockSize}");
        }

        computed = new int[count];
        batch = new StepBatch
        {
            TokenIds = new int[runner.MaxBatchedTokens],
            Positions = new int[runner.MaxBatchedTokens],
            SlotMapping = new int[runner.MaxBatchedTokens],
            QueryStarts = new int[count + 1],
            ContextLengths = new int[count],
            BlockTables = new int[count * blocksPerSequence],
            LogitRows = new int[runner.MaxLogits],
            MaxBlocks = blocksPerSequence,
        };
    }

    /// <summary>Rows that the step being filled still takes, each with logits.</summary>
    public int FreeRows => Math.Min(runner.MaxBatchedTokens - batch.NumTokens, runner.MaxLogits - batch.NumLogits);

    /// <summary>Appends tokens to a sequence in the step being filled; every one of them gets a row of logits.</summary>
    /// <exception cref="ArgumentException">There are more tokens than <see cref="FreeRows"/>, or an id is outside the vocabulary.</exception>
    public void Add(int sequence, ReadOnlySpan<int> tokens)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens.Length, FreeRows);
        var index = batch.NumSequences++;
        for (var i = 0; i < blocksPerSequence; i++)
        {
            batch.BlockTables[(index * blocksPerSequence) + i] = Block(sequence, i);
        }

        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)runner.VocabSize)
            {
                throw new ArgumentException($"token id {token} is outside the vocabulary of {runner.VocabSize}");
            }

            var position = computed[sequence]++;
            batch.TokenIds[batch.NumTokens] = token;
            batch.Positions[batch.NumTokens] = position;
            batch.SlotMapping[batch.NumTokens] = (Block(sequence, position / runner.BlockSize) * runner.BlockSize) + (position % runner.BlockSize);
            batch.LogitRows[batch.NumLogits++] = batch.NumTokens++;
        }

        batch.QueryStarts[index + 1] = batch.NumTokens;
        batch.ContextLengths[index] = computed[sequence];
        batch.MaxQueryLength = Math.Max(batch.MaxQueryLength, tokens.Length);
        batch.MaxContextLength = Math.Max(batch.MaxContextLength, computed[sequence]);
    }

    /// <summary>Runs the step and begins the next one.</summary>
    /// <returns>A row of logits for each token, in the order of <see cref="Add"/>; valid until the next call.</returns>
    public ReadOnlySpan<float> Run()
    {
        runner.Launch(batch);
        var logits = runner.WaitForLogits();
        batch.NumTokens = batch.NumSequences = batch.NumLogits = batch.MaxQueryLength = batch.MaxContextLength = 0;
        return logits;
    }

    private int Block(int sequence, int index) => (index * computed.Length) + sequence;
}
