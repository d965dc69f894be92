using System.Diagnostics;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Running;

namespace Cluster.Benchmarks.Compare;

/// <summary>A model of ours, loaded for timing: batches go to the model runner as they are, as the peer's go to <c>llama_decode</c>. With
/// the logits of the rows that want some; nothing is sampled.</summary>
internal sealed class OwnModel : IDisposable
{
    private const int FirstWord = 300;

    private readonly LoadedModel _model;
    private readonly ModelCost _cost;
    private readonly int _context;

    /// <param name="source">As <c>--model</c> names it.</param>
    /// <param name="sequences">Most of one batch.</param>
    /// <param name="context">Tokens of the longest sequence; a multiple of 16.</param>
    /// <param name="batch">Most rows of one batch.</param>
    public OwnModel(string source, int sequences, int context, int batch, int threads)
    {
        const int BlockSize = 16;
        var config = ModelLoader.ConfigOf(source);
        _context = context;
        _model = ModelLoader.Load(
            source,
            CpuBackend.Create(new CpuOptions { Threads = threads }),
            new ModelRunnerOptions
            {
                MaxSequences = sequences,
                MaxBatchedTokens = Math.Max(batch, sequences),
                MaxModelLength = context,
                BlockSize = BlockSize,
                NumBlocks = sequences * context / BlockSize,
                KvCacheDType = config.DType ?? DType.F32,
            });
        _cost = ModelCost.Of(_model);
    }

    /// <summary>Seconds of a prompt, and what had to be read and computed.</summary>
    public (double Seconds, double Bytes, double Operations) Prefill(int tokens)
    {
        var batch = Batch(sequences: 1, query: tokens, context: tokens);
        var clock = Stopwatch.StartNew();
        Step(batch);
        return (clock.Elapsed.TotalSeconds, _cost.Bytes(batch), _cost.Operations(batch));
    }

    /// <summary>Seconds of a step in which so many sequences decode, and what one had to read and compute.</summary>
    /// <param name="context">Tokens that each has before.</param>
    public (double Seconds, double Bytes, double Operations) Decode(int sequences, int context, int steps)
    {
        // Keys and values that were never written would be read from one page of zeros.
        Step(Batch(sequences, query: context, context));
        StepBatch[] batches = [.. Enumerable.Range(1, steps).Select(step => Batch(sequences, query: 1, context + step))];
        var clock = Stopwatch.StartNew();
        foreach (var batch in batches)
        {
            Step(batch);
        }

        return (clock.Elapsed.TotalSeconds / steps, _cost.Bytes(batches[0]), _cost.Operations(batches[0]));
    }

    public void Dispose() => _model.Dispose();

    private void Step(StepBatch batch)
    {
        _model.Runner.Launch(batch);
        _ = _model.Runner.WaitForLogits();
    }

    /// <summary>The last <paramref name="query"/> tokens of so many contexts, each in blocks of its own.</summary>
    private StepBatch Batch(int sequences, int query, int context)
    {
        var runner = _model.Runner;
        var (rows, blocks) = (sequences * query, (context + runner.BlockSize - 1) / runner.BlockSize);
        var blocksOfEach = _context / runner.BlockSize;
        int[] positions = [.. Enumerable.Range(0, rows).Select(row => context - query + (row % query))];
        return new StepBatch
        {
            NumTokens = rows,
            NumSequences = sequences,
            NumLogits = sequences,
            NumGroups = runner.KvGroups.Count,
            MaxBlocks = blocks,
            MaxQueryLength = query,
            MaxContextLength = context,
            TokenIds = [.. Enumerable.Range(0, rows).Select(row => FirstWord + (row * 7919 % 20000))],
            Positions = positions,
            SlotMapping = [
                .. Enumerable.Range(0, rows).Select(row => (row / query * blocksOfEach * runner.BlockSize) + positions[row])],
            QueryStarts = [.. Enumerable.Range(0, sequences + 1).Select(sequence => sequence * query)],
            ContextLengths = [.. Enumerable.Repeat(context, sequences)],
            BlockTables = [.. Enumerable.Range(0, sequences * blocks).Select(i => (i / blocks * blocksOfEach) + (i % blocks))],
            LogitRows = [.. Enumerable.Range(1, sequences).Select(sequence => (sequence * query) - 1)],
        };
    }
}
