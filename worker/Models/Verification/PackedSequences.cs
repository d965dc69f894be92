using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>A fixed set of sequences run through a <see cref="ModelRunner"/> in packed steps, without a scheduler: what verification and
/// evaluation need. Fill a step with <see cref="Add"/>, then <see cref="Run"/> it.</summary>
/// <remarks>In a group of layers that reads everything, sequence s has the blocks s, s + count, s + 2·count, …: neighbours in a sequence
/// are never neighbours in memory, so that a backend that ignored the block table would be found out. Where less is read, a sequence's
/// blocks are taken in turn and overwritten as soon as nothing should read them.</remarks>
internal sealed class PackedSequences
{
    private readonly IModelRunner _runner;
    private readonly int _blocksPerSequence;

    /// <summary>Of each group of layers: its first block, and how many of a sequence's blocks there are until the first's turn comes
    /// again.</summary>
    private readonly (int First, int Turn)[] _groups;

    private readonly int[] _computed;
    private readonly int[] _members;
    private readonly StepBatch _batch;

    /// <param name="count">Sequences; each may be in a step once.</param>
    /// <param name="maxLength">Tokens that each may come to have.</param>
    /// <exception cref="ArgumentException">The runner cannot hold them all.</exception>
    public PackedSequences(IModelRunner runner, int count, int maxLength)
    {
        _runner = runner;
        _blocksPerSequence = (maxLength + runner.BlockSize - 1) / runner.BlockSize;
        _groups = new (int, int)[runner.KvGroups.Count];
        var blocks = 0;
        for (var group = 0; group < _groups.Length; group++)
        {
            _groups[group] = (
                count * blocks, runner.KvGroups.Reaches[group].MostBlocks(maxLength, runner.MaxBatchedTokens, runner.BlockSize));
            blocks += _groups[group].Turn;
        }

        if (count > runner.MaxSequences || maxLength > runner.MaxModelLength || (long)count * blocks > runner.NumBlocks)
        {
            throw new ArgumentException(
                $"{count} sequences of {maxLength} tokens do not fit a runner of {runner.MaxSequences} sequences of "
                + $"{runner.MaxModelLength} tokens and {runner.NumBlocks} blocks of {runner.BlockSize}");
        }

        _computed = new int[count];
        _members = new int[count];
        _batch = new StepBatch
        {
            TokenIds = new int[runner.MaxBatchedTokens],
            Positions = new int[runner.MaxBatchedTokens],
            SlotMapping = new int[_groups.Length * runner.MaxBatchedTokens],
            QueryStarts = new int[count + 1],
            ContextLengths = new int[count],
            BlockTables = new int[_groups.Length * count * _blocksPerSequence],
            NumGroups = _groups.Length,
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
        _members[index] = sequence;
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)_runner.VocabSize)
            {
                throw new ArgumentException($"token id {token} is outside the vocabulary of {_runner.VocabSize}");
            }

            var position = _computed[sequence]++;
            _batch.TokenIds[_batch.NumTokens] = token;
            _batch.Positions[_batch.NumTokens] = position;
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
        for (var group = 0; group < _groups.Length; group++)
        {
            Place(group);
        }

        _runner.Launch(_batch);
        var logits = _runner.WaitForLogits();
        _batch.NumTokens = _batch.NumSequences = _batch.NumLogits = _batch.MaxQueryLength = _batch.MaxContextLength = 0;
        return logits;
    }

    /// <summary>Gives the step's rows their blocks in a group of layers.</summary>
    private void Place(int group)
    {
        for (var i = 0; i < _batch.NumSequences; i++)
        {
            var table = _batch.BlockTables.AsSpan((group * _batch.NumSequences + i) * _blocksPerSequence, _blocksPerSequence);
            for (var index = 0; index < table.Length; index++)
            {
                table[index] = _groups[group].First + index % _groups[group].Turn * _computed.Length + _members[i];
            }

            for (var row = _batch.QueryStarts[i]; row < _batch.QueryStarts[i + 1]; row++)
            {
                var (index, offset) = Math.DivRem(_batch.Positions[row], _runner.BlockSize);
                _batch.SlotMapping[group * _batch.NumTokens + row] = table[index] * _runner.BlockSize + offset;
            }
        }
    }
}
