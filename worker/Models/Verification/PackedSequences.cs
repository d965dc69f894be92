using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>A fixed set of sequences run through a <see cref="ModelRunner"/> in packed steps, without a scheduler: what verification and
/// evaluation need. Fill a step with <see cref="Add"/>, then <see cref="Run"/> it.</summary>
/// <remarks>Sequence s has the blocks s, s + count, s + 2·count, …: neighbours in a sequence are never neighbours in memory, so that a
/// backend that ignored the block table would be found out.</remarks>
internal sealed class PackedSequences
{
    private readonly IModelRunner _runner;
    private readonly int _blocksPerSequence;
    private readonly int[] _computed;
    private readonly StepBatch _batch;

    /// <param name="count">Sequences; each may be in a step once.</param>
    /// <param name="maxLength">Tokens that each may come to have.</param>
    /// <exception cref="ArgumentException">The runner cannot hold them all.</exception>
    public PackedSequences(IModelRunner runner, int count, int maxLength)
    {
        _runner = runner;
        _blocksPerSequence = (maxLength + runner.BlockSize - 1) / runner.BlockSize;
        if (count > runner.MaxSequences || maxLength > runner.MaxModelLength || (long)count * _blocksPerSequence > runner.NumBlocks)
        {
            throw new ArgumentException(
                $"{count} sequences of {maxLength} tokens do not fit a runner of {runner.MaxSequences} sequences of "
                + $"{runner.MaxModelLength} tokens and {runner.NumBlocks} blocks of {runner.BlockSize}");
        }

        _computed = new int[count];
        _batch = new StepBatch
        {
            TokenIds = new int[runner.MaxBatchedTokens],
            Positions = new int[runner.MaxBatchedTokens],
            SlotMapping = new int[runner.MaxBatchedTokens],
            QueryStarts = new int[count + 1],
            ContextLengths = new int[count],
            BlockTables = new int[count * _blocksPerSequence],
            LogitRows = new int[runner.MaxLogits],
            MaxBlocks = _blocksPerSequence,
        };
    }

    /// <summary>Rows that the step being filled still takes, each with logits.</summary>
    public int FreeRows => Math.Min(_runner.MaxBatchedTokens - _batch.NumTokens, _runner.MaxLogits - _batch.NumLogits);

    /// <summary>Appends tokens to a sequence in the step being filled; every one of them gets a row of logits.</summary>
    /// <exception cref="ArgumentException">There are more tokens than <see cref="FreeRows"/>, or an id is outside the
    /// vocabulary.</exception>
    public void Add(int sequence, ReadOnlySpan<int> tokens)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens.Length, FreeRows);
        var index = _batch.NumSequences++;
        for (var i = 0; i < _blocksPerSequence; i++)
        {
            _batch.BlockTables[(index * _blocksPerSequence) + i] = Block(sequence, i);
        }

        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)_runner.VocabSize)
            {
                throw new ArgumentException($"token id {token} is outside the vocabulary of {_runner.VocabSize}");
            }

            var position = _computed[sequence]++;
            _batch.TokenIds[_batch.NumTokens] = token;
            _batch.Positions[_batch.NumTokens] = position;
            _batch.SlotMapping[_batch.NumTokens] = (Block(sequence, position / _runner.BlockSize) * _runner.BlockSize)
                + (position % _runner.BlockSize);
            _batch.LogitRows[_batch.NumLogits++] = _batch.NumTokens++;
        }

        _batch.QueryStarts[index + 1] = _batch.NumTokens;
        _batch.ContextLengths[index] = _computed[sequence];
        _batch.MaxQueryLength = Math.Max(_batch.MaxQueryLength, tokens.Length);
        _batch.MaxContextLength = Math.Max(_batch.MaxContextLength, _computed[sequence]);
    }

    /// <summary>Runs the step and begins the next one.</summary>
    /// <returns>A row of logits for each token, in the order of <see cref="Add"/>; valid until the next call.</returns>
    public ReadOnlySpan<float> Run()
    {
        _runner.Launch(_batch);
        var logits = _runner.WaitForLogits();
        _batch.NumTokens = _batch.NumSequences = _batch.NumLogits = _batch.MaxQueryLength = _batch.MaxContextLength = 0;
        return logits;
    }

    private int Block(int sequence, int index) => (index * _computed.Length) + sequence;
}
