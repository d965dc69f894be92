using System.Numerics;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>The device tensors a step's batch is uploaded to, at addresses that never change. Owned by <see cref="ModelRunner"/>.</summary>
/// <remarks>Widths that grow while sequences grow — the block table's, and the context length that sizes a GPU's grid — are rounded up to a power of two
/// blocks, so that decode steps of one number of sequences are the same operations for many steps and can be replayed as a captured graph.</remarks>
internal sealed class StepTensors
{
    private readonly Backend backend;
    private readonly int blockSize;
    private readonly int maxBlocks;
    private readonly Tensor tokenIds;
    private readonly Tensor positions;
    private readonly Tensor slotMapping;
    private readonly Tensor queryStarts;
    private readonly Tensor contextLengths;
    private readonly Tensor blockTables;
    private readonly Tensor logitRows;
    private readonly Tensor blockCopies;
    private readonly int[] blockTableRows;

    /// <param name="maxLength">Longest sequence in tokens.</param>
    public StepTensors(Backend backend, int maxTokens, int maxSequences, int maxLogits, int maxLength, int blockSize)
    {
        this.backend = backend;
        this.blockSize = blockSize;
        maxBlocks = (maxLength + blockSize - 1) / blockSize;
        Tensor Integers(string name, int rows, int columns = 1) => backend.Allocate(name, DType.I32, rows, columns);
        tokenIds = Integers("token_ids", maxTokens);
        positions = Integers("positions", maxTokens);
        slotMapping = Integers("slot_mapping", maxTokens);
        queryStarts = Integers("query_starts", maxSequences + 1);
        contextLengths = Integers("context_lengths", maxSequences);
        blockTables = Integers("block_tables", maxSequences, maxBlocks);
        logitRows = Integers("logit_rows", maxLogits);
        blockCopies = Integers("block_copies", maxSequences, 2);
        blockTableRows = new int[checked(maxSequences * maxBlocks)];
    }

    /// <summary>Copies the batch to the device. The batch may be reused when the call returns.</summary>
    public StepInputs Upload(StepBatch batch)
    {
        var context = BucketOf((batch.MaxContextLength + blockSize - 1) / blockSize);
        var attention = new AttentionInputs(
            Upload(batch.Positions, batch.NumTokens, positions),
            Upload(batch.SlotMapping, batch.NumTokens, slotMapping),
            Upload(batch.QueryStarts, batch.NumSequences + 1, queryStarts),
            Upload(batch.ContextLengths, batch.NumSequences, contextLengths),
            UploadBlockTables(batch, context),
            batch.MaxQueryLength,
            context * blockSize);
        return new StepInputs(
            Upload(batch.TokenIds, batch.NumTokens, tokenIds),
            attention,
            Upload(batch.LogitRows, batch.NumLogits, logitRows),
            Upload(batch.BlockCopies, batch.NumBlockCopies, blockCopies));
    }

    private int BucketOf(int blocks) => Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)blocks), maxBlocks);

    private Tensor Upload(int[] values, int count, Tensor destination)
    {
        var rows = destination.FirstRows(count);
        if (count > 0)
        {
            backend.Upload(values.AsSpan(0, count * destination.Columns), rows);
        }

        return rows;
    }

    private Tensor UploadBlockTables(StepBatch batch, int width)
    {
        var table = blockTableRows.AsSpan(0, batch.NumSequences * width);
        var kept = Math.Min(batch.MaxBlocks, width);
        for (var i = 0; i < batch.NumSequences; i++)
        {
            var row = table.Slice(i * width, width);
            batch.BlockTables.AsSpan(i * batch.MaxBlocks, kept).CopyTo(row);
            row[kept..].Clear();
        }

        var destination = blockTables with { Rows = batch.NumSequences, Columns = width };
        backend.Upload(table, destination);
        return destination;
    }
}
