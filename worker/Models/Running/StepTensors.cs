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
        _attention = new AttentionInputs[numGroups];
        _groups = new (Tensor, Tensor)[numGroups];
        for (var group = 0; group < numGroups; group++)
        {
            _groups[group] = (Integers("slot_mapping", maxTokens), Integers("block_tables", maxSequences, _maxBlocks));
        }
    }

    /// <summary>Copies the batch to the device. The batch may be reused when the call returns.</summary>
    public StepInputs Upload(StepBatch batch)
    {
        var context = BucketOf((batch.MaxContextLength + _blockSize - 1) / _blockSize);
        var positions = Upload(batch.Positions, batch.NumTokens, _positions);
        var queryStarts = Upload(batch.QueryStarts, batch.NumSequences + 1, _queryStarts);
        var contextLengths = Upload(batch.ContextLengths, batch.NumSequences, _contextLengths);
        for (var group = 0; group < _groups.Length; group++)
        {
            _attention[group] = new AttentionInputs(
                positions,
                Upload(batch.SlotMapping.AsSpan(group * batch.NumTokens), batch.NumTokens, _groups[group].SlotMapping),
                queryStarts,
                contextLengths,
                UploadBlockTables(batch, group, context),
                batch.MaxQueryLength,
                context * _blockSize);
        }

        return new StepInputs(
            Upload(batch.TokenIds, batch.NumTokens, _tokenIds),
            _attention,
            Upload(batch.LogitRows, batch.NumLogits, _logitRows),
            Upload(batch.BlockCopies, batch.NumBlockCopies, _blockCopies));
    }

    private int BucketOf(int blocks) => Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)blocks), _maxBlocks);

    private Tensor Upload(ReadOnlySpan<int> values, int count, Tensor destination)
    {
        var rows = destination.FirstRows(count);
        if (count > 0)
        {
            _backend.Upload(values[..(count * destination.Columns)], rows);
        }

        return rows;
    }

    private Tensor UploadBlockTables(StepBatch batch, int group, int width)
    {
        var table = _blockTableRows.AsSpan(0, batch.NumSequences * width);
        var kept = Math.Min(batch.MaxBlocks, width);
        for (var i = 0; i < batch.NumSequences; i++)
        {
            var row = table.Slice(i * width, width);
            batch.BlockTables.AsSpan((group * batch.NumSequences + i) * batch.MaxBlocks, kept).CopyTo(row);
            row[kept..].Clear();
        }

        var destination = _groups[group].BlockTables with { Rows = batch.NumSequences, Columns = width };
        _backend.Upload(table, destination);
        return destination;
    }
}
