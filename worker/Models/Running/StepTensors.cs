using System.Numerics;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Running;

/// <summary>The device tensors a step's batch is uploaded to, at addresses that never change. Owned by <see cref="ModelRunner"/>.</summary>
/// <remarks>Widths that grow while sequences grow — the block table's, and the context length that sizes a GPU's grid — are rounded up to a
/// power of two blocks, so that decode steps of one number of sequences are the same operations for many steps and can be replayed as a
/// captured graph.</remarks>
internal sealed class StepTensors
{
    private readonly Backend _backend;
    private readonly int _blockSize;
    private readonly int _maxBlocks;
    private readonly Tensor _tokenIds;
    private readonly Tensor _positions;
    private readonly Tensor _queryStarts;
    private readonly Tensor _contextLengths;
    private readonly Tensor _logitRows;
    private readonly Tensor _blockCopies;
    private readonly (Tensor SlotMapping, Tensor BlockTables)[] _groups;
    private readonly AttentionInputs[] _attention;
    private readonly int[] _blockTableRows;
    private readonly int[] _filledUp;

    /// <param name="maxLength">Longest sequence in tokens.</param>
    /// <param name="numGroups">Groups of layers, see <see cref="KvGroups"/>.</param>
    public StepTensors(
        Backend backend, int maxTokens, int maxSequences, int maxLogits, int maxLength, int blockSize, int numGroups)
    {
        _backend = backend;
        _blockSize = blockSize;
        _maxBlocks = (maxLength + blockSize - 1) / blockSize;
        Tensor Integers(string name, int rows, int columns = 1) => backend.Allocate(name, DType.I32, rows, columns);
        _tokenIds = Integers("token_ids", maxTokens);
        _positions = Integers("positions", maxTokens);
        _queryStarts = Integers("query_starts", maxSequences + 1);
        _contextLengths = Integers("context_lengths", maxSequences);
        _logitRows = Integers("logit_rows", maxLogits);
        _blockCopies = Integers("block_copies", checked(maxSequences * numGroups), 2);
        _blockTableRows = new int[checked(maxSequences * _maxBlocks)];
        _filledUp = new int[maxSequences + 1];
        _attention = new AttentionInputs[numGroups];
        _groups = new (Tensor, Tensor)[numGroups];
        for (var group = 0; group < numGroups; group++)
        {
            _groups[group] = (Integers("slot_mapping", maxTokens), Integers("block_tables", maxSequences, _maxBlocks));
        }
    }

    /// <summary>Copies the batch to the device. The batch may be reused when the call returns.</summary>
    /// <param name="sequences">Sequences of the step. More than the batch has fill a decode step up: each with one row, which is written
    /// nowhere and read by nobody.</param>
    public StepInputs Upload(StepBatch batch, int sequences)
    {
        var tokens = batch.NumTokens + sequences - batch.NumSequences;
        var logits = batch.NumLogits + sequences - batch.NumSequences;
        var context = BucketOf((batch.MaxContextLength + _blockSize - 1) / _blockSize);
        var positions = Upload(batch.Positions, batch.NumTokens, tokens, 0, 0, _positions);
        var queryStarts = Upload(batch.QueryStarts, batch.NumSequences + 1, sequences + 1, batch.NumTokens + 1, 1, _queryStarts);
        var contextLengths = Upload(batch.ContextLengths, batch.NumSequences, sequences, 1, 0, _contextLengths);
        for (var group = 0; group < _groups.Length; group++)
        {
            _attention[group] = new AttentionInputs(
                positions,
                Upload(
                    batch.SlotMapping.AsSpan(group * batch.NumTokens), batch.NumTokens, tokens, -1, 0, _groups[group].SlotMapping),
                queryStarts,
                contextLengths,
                UploadBlockTables(batch, group, sequences, context),
                batch.MaxQueryLength,
                context * _blockSize);
        }

        return new StepInputs(
            Upload(batch.TokenIds, batch.NumTokens, tokens, 0, 0, _tokenIds),
            _attention,
            Upload(batch.LogitRows, batch.NumLogits, logits, batch.NumTokens, 1, _logitRows),
            Upload(batch.BlockCopies, batch.NumBlockCopies, _blockCopies));
    }

    private int BucketOf(int blocks) => Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)blocks), _maxBlocks);

    /// <summary>With <paramref name="all"/> numbers in place of <paramref name="count"/>: the others go on from <paramref name="next"/> by
    /// <paramref name="step"/>.</summary>
    private Tensor Upload(ReadOnlySpan<int> values, int count, int all, int next, int step, Tensor destination)
    {
        if (all == count)
        {
            return Upload(values, count, destination);
        }

        var filledUp = _filledUp.AsSpan(0, all);
        values[..count].CopyTo(filledUp);
        for (var i = count; i < all; i++, next += step)
        {
            filledUp[i] = next;
        }

        return Upload(filledUp, all, destination);
    }

    private Tensor Upload(ReadOnlySpan<int> values, int count, Tensor destination)
    {
        var rows = destination.FirstRows(count);
        if (count > 0)
        {
            _backend.Upload(values[..(count * destination.Columns)], rows);
        }

        return rows;
    }

    private Tensor UploadBlockTables(StepBatch batch, int group, int sequences, int width)
    {
        var table = _blockTableRows.AsSpan(0, sequences * width);
        var kept = Math.Min(batch.MaxBlocks, width);
        for (var i = 0; i < batch.NumSequences; i++)
        {
            var row = table.Slice(i * width, width);
            batch.BlockTables.AsSpan((group * batch.NumSequences + i) * batch.MaxBlocks, kept).CopyTo(row);
            row[kept..].Clear();
        }

        table[(batch.NumSequences * width)..].Clear();
        var destination = _groups[group].BlockTables with { Rows = sequences, Columns = width };
        _backend.Upload(table, destination);
        return destination;
    }
}
