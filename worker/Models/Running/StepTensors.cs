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
    private readonly Tensor _slotMapping;
    private readonly Tensor _queryStarts;
    private readonly Tensor _contextLengths;
    private readonly Tensor _blockTables;
    private readonly Tensor _logitRows;
    private readonly Tensor _blockCopies;
    private readonly int[] _blockTableRows;

    /// <param name="maxLength">Longest sequence in tokens.</param>
    public StepTensors(Backend backend, int maxTokens, int maxSequences, int maxLogits, int maxLength, int blockSize)
    {
        _backend = backend;
        _blockSize = blockSize;
        _maxBlocks = (maxLength + blockSize - 1) / blockSize;
        Tensor Integers(string name, int rows, int columns = 1) => backend.Allocate(name, DType.I32, rows, columns);
        _tokenIds = Integers("token_ids", maxTokens);
        _positions = Integers("positions", maxTokens);
        _slotMapping = Integers("slot_mapping", maxTokens);
        _queryStarts = Integers("query_starts", maxSequences + 1);
        _contextLengths = Integers("context_lengths", maxSequences);
        _blockTables = Integers("block_tables", maxSequences, _maxBlocks);
        _logitRows = Integers("logit_rows", maxLogits);
        _blockCopies = Integers("block_copies", maxSequences, 2);
        _blockTableRows = new int[checked(maxSequences * _maxBlocks)];
    }

    /// <summary>Copies the batch to the device. The batch may be reused when the call returns.</summary>
    public StepInputs Upload(StepBatch batch)
    {
        var context = BucketOf((batch.MaxContextLength + _blockSize - 1) / _blockSize);
        var attention = new AttentionInputs(
            Upload(batch.Positions, batch.NumTokens, _positions),
            Upload(batch.SlotMapping, batch.NumTokens, _slotMapping),
            Upload(batch.QueryStarts, batch.NumSequences + 1, _queryStarts),
            Upload(batch.ContextLengths, batch.NumSequences, _contextLengths),
            UploadBlockTables(batch, context),
            batch.MaxQueryLength,
            context * _blockSize);
        return new StepInputs(
            Upload(batch.TokenIds, batch.NumTokens, _tokenIds),
            attention,
            Upload(batch.LogitRows, batch.NumLogits, _logitRows),
            Upload(batch.BlockCopies, batch.NumBlockCopies, _blockCopies));
    }

    private int BucketOf(int blocks) => Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)blocks), _maxBlocks);

    private Tensor Upload(int[] values, int count, Tensor destination)
    {
        var rows = destination.FirstRows(count);
        if (count > 0)
        {
            _backend.Upload(values.AsSpan(0, count * destination.Columns), rows);
        }

        return rows;
    }

    private Tensor UploadBlockTables(StepBatch batch, int width)
    {
        var table = _blockTableRows.AsSpan(0, batch.NumSequences * width);
        var kept = Math.Min(batch.MaxBlocks, width);
        for (var i = 0; i < batch.NumSequences; i++)
        {
            var row = table.Slice(i * width, width);
            batch.BlockTables.AsSpan(i * batch.MaxBlocks, kept).CopyTo(row);
            row[kept..].Clear();
        }

        var destination = _blockTables with { Rows = batch.NumSequences, Columns = width };
        _backend.Upload(table, destination);
        return destination;
    }
}
