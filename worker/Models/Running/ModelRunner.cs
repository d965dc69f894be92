using Cluster.Worker.Compute;
using Cluster.Worker.Draws;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Running;

/// <summary>Runs steps of a <see cref="Transformer"/>: uploads the batch, enqueues the pass, downloads logits
/// or the tokens chosen from them. Called by the engine's
/// thread; made by <see cref="ModelLoader"/>. Owns its backend: disposing the runner disposes it.</summary>
internal sealed class ModelRunner : IModelRunner
{
    private readonly Backend _backend;
    private readonly Transformer _transformer;
    private readonly VocabularyShards _vocabulary;
    private readonly KvCache _cache;
    private readonly StepTensors _tensors;
    private readonly DeviceSampler? _sampler;
    private readonly bool[] _isDrawn;
    private readonly int _maxLengthToCapture;
    private float[] _hostLogits = [];
    private Tensor? _launched;
    private int _numDraws;

    /// <param name="plan">Longest sequence and size of the cache, which is allocated here.</param>
    /// <param name="maxLogits">Most rows of one step that need logits.</param>
    /// <param name="sampler">Null where the host chooses all tokens.</param>
    /// <param name="maxLengthToCapture">See <see cref="ModelRunnerOptions.MaxLengthToCapture"/>.</param>
    public ModelRunner(
        Backend backend, Shard shard, Transformer transformer, CapacityPlan plan, int maxTokens, int maxSequences, int maxLogits,
        DeviceSampler? sampler = null, int maxLengthToCapture = 0)
    {
        _maxLengthToCapture = backend.CapturesGraphs ? maxLengthToCapture : 0;
        _backend = backend;
        _transformer = transformer;
        _sampler = sampler;
        _isDrawn = new bool[maxLogits];
        _vocabulary = shard.Vocabulary;
        VocabSize = shard.Config.VocabSize;
        BlockSize = plan.Cache.BlockSize;
        NumBlocks = plan.Cache.NumBlocks;
        KvGroups = plan.Groups;
        MaxModelLength = plan.MaxModelLength;
        MaxBatchedTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxLogits = maxLogits;
        _tensors = new StepTensors(backend, maxTokens, maxSequences, maxLogits, plan.MaxModelLength, BlockSize, KvGroups.Count);
        _cache = backend.AllocateKvCache(plan.Cache);
    }

    public int VocabSize { get; }

    public int BlockSize { get; }

    public int NumBlocks { get; }

    public KvGroups KvGroups { get; }

    public int MaxModelLength { get; }

    public int MaxBatchedTokens { get; }

    public int MaxSequences { get; }

    /// <summary>Most rows of one step that need logits.</summary>
    public int MaxLogits { get; }

    public bool SamplesOnDevice => _sampler is not null;

    public long Progress => _transformer.LayersPassed + _backend.KernelsBuilt;

    public ReadOnlySpan<DrawResult> Drawn => _numDraws > 0 ? _sampler!.Results : [];

    /// <exception cref="ArgumentOutOfRangeException">The batch is empty or exceeds a limit of this runner.</exception>
    public void Launch(StepBatch batch)
    {
        Check(batch.NumTokens, 1, MaxBatchedTokens, "tokens");
        Check(batch.NumSequences, 1, MaxSequences, "sequences");
        Check(batch.NumLogits, 0, MaxLogits, "logits");
        Check(batch.MaxQueryLength, 1, batch.NumTokens, "rows of the longest query");
        Check(batch.MaxContextLength, batch.MaxQueryLength, MaxModelLength, "tokens of the longest context");
        Check(batch.MaxBlocks * BlockSize, batch.MaxContextLength, int.MaxValue, "slots of a block table");
        Check(batch.Draws.Count, 0, _sampler is null ? 0 : batch.NumSequences, "draws");
        Check(batch.NumGroups, KvGroups.Count, KvGroups.Count, "groups of layers");
        Check(batch.NumBlockCopies, 0, batch.NumSequences * batch.NumGroups, "block copies");
        var isCaptured = IsCaptured(batch);
        var inputs = _tensors.Upload(batch, isCaptured ? DecodeBucket.Of(batch.NumSequences, MaxSequences) : batch.NumSequences);
        if (batch.NumBlockCopies > 0)
        {
            _backend.CopyKvBlocks(_cache, inputs.BlockCopies);
        }

        _launched = (isCaptured ? Captured(inputs) : _transformer.Forward(inputs, _cache)).FirstRows(batch.NumLogits);
        _numDraws = batch.Draws.Count;
        if (_numDraws > 0)
        {
            _isDrawn.AsSpan().Clear();
            foreach (var draw in batch.Draws.Draws)
            {
                _isDrawn[draw.Row] = true;
            }

            _sampler!.Enqueue(_launched.Value, batch.Draws);
        }
    }

    /// <exception cref="InvalidOperationException">Nothing was launched.</exception>
    public ReadOnlySpan<float> WaitForLogits()
    {
        var logits = _launched ?? throw new InvalidOperationException("no step was launched");
        var count = logits.Rows * logits.Columns;
        if (_hostLogits.Length < count)
        {
            // Doubled, so that a slowly growing batch does not allocate at every step. Pinned: a GPU copies into it directly.
            _hostLogits = GC.AllocateUninitializedArray<float>(
                Math.Max(count, (int)Math.Min(2L * _hostLogits.Length, (long)MaxLogits * logits.Columns)), pinned: true);
        }

        if (_numDraws > 0)
        {
            _sampler!.Wait();
            DownloadOthers(logits);
        }
        else
        {
            _backend.Download(logits, _hostLogits.AsSpan(0, count));
        }

        return _vocabulary.Compact(_hostLogits.AsSpan(0, count), logits.Rows);
    }

    public void Dispose() => _backend.Dispose();

    /// <summary>Steps in which every sequence decodes, and none is long: those that come again and again.</summary>
    private bool IsCaptured(StepBatch batch) => batch.MaxContextLength <= _maxLengthToCapture
        && batch.MaxQueryLength == 1 && batch.NumTokens == batch.NumSequences && batch.NumLogits == batch.NumSequences;

    /// <summary>The pass as a graph, where the device has one of this shape or makes one now.</summary>
    private Tensor Captured(in StepInputs inputs)
    {
        var shape = new GraphShape(_cache, inputs.TokenIds.Rows, inputs.Attention[0].BlockTables.Columns);
        switch (_backend.BeginGraph(shape))
        {
            case GraphUse.Replayed:
                return _transformer.LogitsOf(inputs.LogitRows.Rows);
            case GraphUse.Capture:
                var logits = _transformer.Forward(inputs, _cache);
                if (_backend.EndGraph(shape))
                {
                    return logits;
                }

                break;
        }

        return _transformer.Forward(inputs, _cache);
    }

    /// <summary>Copies the rows from which no token was chosen to their places.</summary>
    private void DownloadOthers(Tensor logits)
    {
        for (var row = 0; row < logits.Rows; row++)
        {
            var end = row;
            while (end < logits.Rows && !_isDrawn[end])
            {
                end++;
            }

            if (end > row)
            {
                var (from, to) = (row * logits.Columns, end * logits.Columns);
                _backend.DownloadRows(logits, row, _hostLogits.AsSpan(from..to));
                row = end;
            }
        }
    }

    private static void Check(int value, int min, int max, string what)
    {
        if (value < min || value > max)
        {
            throw new ArgumentOutOfRangeException(
                nameof(value), value, $"a step of {value} {what} was launched; this runner takes {min} to {max}");
        }
    }
}
