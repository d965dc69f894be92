using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Draws;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Launches the kernels of <see cref="Sampling"/> and <see cref="Selection"/> for the draws of a step; those that no draw needs
/// are left out. Made by <see cref="IlgpuBackend"/>.</summary>
/// <remarks>The log-probability of a token needs maximum and mass of the plain row at temperature 1. A second draw of that row gives
/// both.</remarks>
internal sealed class IlgpuSampler : DeviceSampler
{
    private readonly IKernelLauncher _launcher;
    private readonly DeviceArena _arena;
    private readonly int _vocabSize;
    private readonly int _chunks;
    private readonly int _words;
    private readonly int _maxDraws;
    private readonly MemoryRange _draws;
    private readonly MemoryRange _selecting;
    private readonly MemoryRange _slots;
    private readonly MemoryRange _masks;
    private readonly MemoryRange _adjustments;
    private readonly MemoryRange _adjusted;
    private readonly MemoryRange _maxima;
    private readonly MemoryRange _chunkMaxima;
    private readonly MemoryRange _masses;
    private readonly MemoryRange _chunkMasses;
    private readonly MemoryRange _stretches;
    private readonly MemoryRange _outcomes;
    private readonly List<DrawParameters> _hostDraws = [];
    private readonly List<int> _hostSelecting = [];
    private readonly List<int> _plain = [];
    private readonly DrawOutcome[] _hostOutcomes;
    private readonly DrawResult[] _results;
    private long _bytes;
    private bool _isEnqueued;

    public IlgpuSampler(IKernelLauncher launcher, DeviceArena arena, int vocabSize, int maxDraws)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocabSize, Selection.MaxVocabulary);
        _launcher = launcher;
        _arena = arena;
        _vocabSize = vocabSize;
        _chunks = GridSize.Groups(vocabSize, Sampling.ChunkTokens);
        _words = 2 * GridSize.Groups(vocabSize, 64);
        _maxDraws = maxDraws;
        _hostOutcomes = new DrawOutcome[2 * maxDraws];
        _results = new DrawResult[maxDraws];
        var draws = 2L * maxDraws;
        _draws = Take("draws", draws * Marshal.SizeOf<DrawParameters>());
        _selecting = Take("selecting", sizeof(int) * draws);
        _slots = Take("slots", 2L * sizeof(int) * maxDraws);
        _adjusted = Take("adjusted_logits", sizeof(float) * (long)maxDraws * vocabSize);
        _maxima = Take("maxima", sizeof(float) * draws * _chunks * Wave.Lanes);
        _chunkMaxima = Take("chunk_maxima", sizeof(float) * draws * _chunks);
        _masses = Take("masses", sizeof(ulong) * draws * _chunks * Wave.Lanes);
        _chunkMasses = Take("chunk_masses", sizeof(ulong) * draws * _chunks);
        _stretches = Take("stretches", sizeof(ulong) * draws * Wave.Lanes);
        _outcomes = Take("outcomes", draws * Marshal.SizeOf<DrawOutcome>());
        _masks = Take("masks", sizeof(uint) * (long)maxDraws * _words);
        _adjustments = Take("adjustments", (long)DrawBatch.MaxAdjustments * Marshal.SizeOf<LogitAdjustment>());
    }

    public override long Bytes => _bytes;

    public override ReadOnlySpan<DrawResult> Results => _results.AsSpan(0, _plain.Count);

    public override void Enqueue(Tensor logits, DrawBatch draws)
    {
        if (draws.Count > _maxDraws || logits.Columns != _vocabSize)
        {
            throw new ArgumentException($"{draws.Count} draws from {logits}; the sampler takes {_maxDraws} from {_vocabSize} columns");
        }

        Prepare(draws);
        Adjust(logits, draws);
        var count = _hostDraws.Count;
        var chunks = count * _chunks;
        var ofChunks = new GridSize(_chunks, count);
        var perChunk = new GridSize(GridSize.Groups(chunks, Wave.Lanes));
        _launcher.Launch(BackendKernels.Maxima, ofChunks, logits, _adjusted, _draws, _maxima, _vocabSize);
        _launcher.Launch(BackendKernels.ChunkMaxima, perChunk, _maxima, _chunkMaxima, chunks);
        if (_hostSelecting.Count > 0)
        {
            _launcher.Launch(
                BackendKernels.Select, new GridSize(_hostSelecting.Count), logits, _adjusted, _draws, _selecting, _chunkMaxima, _vocabSize,
                _chunks);
        }

        if (_hostDraws.Exists(draw => draw.Temperature != 0))
        {
            _launcher.Launch(BackendKernels.Masses, ofChunks, logits, _adjusted, _draws, _chunkMaxima, _masses, _vocabSize);
            _launcher.Launch(BackendKernels.ChunkMasses, perChunk, _masses, _chunkMasses, chunks);
            _launcher.Launch(
                BackendKernels.Stretches, new GridSize(count), logits, _adjusted, _draws, _chunkMaxima, _chunkMasses, _stretches,
                _vocabSize, _chunks);
        }

        _launcher.Launch(
            BackendKernels.Pick, new GridSize(GridSize.Groups(count, Wave.Lanes)), logits, _adjusted, _draws, _maxima, _chunkMaxima,
            _chunkMasses, _stretches, _outcomes, _vocabSize, _chunks, count);
        _isEnqueued = true;
    }

    public override void Wait()
    {
        if (!_isEnqueued)
        {
            throw new InvalidOperationException("no draws were enqueued");
        }

        var outcomes = _hostOutcomes.AsSpan(0, _hostDraws.Count);
        _launcher.Read(_outcomes, MemoryMarshal.AsBytes(outcomes));
        for (var i = 0; i < _plain.Count; i++)
        {
            float? logprob = null;
            if (_plain[i] >= 0)
            {
                var plain = outcomes[_plain[i]];
                var mass = ((ulong)plain.MassHigh << 32) | plain.MassLow;
                logprob = (float)((double)outcomes[i].Logit - plain.Max - Math.Log((double)mass / TokenMass.One));
            }

            _results[i] = new DrawResult(outcomes[i].Token, outcomes[i].Max, logprob);
        }
    }

    private MemoryRange Take(string name, long bytes)
    {
        _bytes += bytes;
        return _arena.Take(name, bytes);
    }

    private void Prepare(DrawBatch draws)
    {
        _hostDraws.Clear();
        _hostDraws.AddRange(draws.Draws);
        _hostSelecting.Clear();
        _plain.Clear();
        for (var i = 0; i < draws.Count; i++)
        {
            var draw = draws.Draws[i];
            if (draw.Temperature != 0 && (draw.TopK != 0 || draw.Share != 0))
            {
                _hostSelecting.Add(i);
            }

            _plain.Add(draws.WantLogprobs[i] ? _hostDraws.Count : -1);
            if (draws.WantLogprobs[i])
            {
                _hostDraws.Add(new DrawParameters
                {
                    Row = draw.Row,
                    Slot = -1,
                    Temperature = 1,
                    Reciprocal = 1,
                    CutRank = uint.MaxValue,
                    CutToken = int.MaxValue,
                });
            }
        }

        _launcher.Write(_draws, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_hostDraws)));
        _launcher.Write(_selecting, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_hostSelecting)));
    }

    private void Adjust(Tensor logits, DrawBatch draws)
    {
        if (draws.NumSlots == 0)
        {
            return;
        }

        _launcher.Write(_slots, MemoryMarshal.AsBytes(draws.Slots));
        _launcher.Write(_masks, MemoryMarshal.AsBytes(draws.Masks));
        _launcher.Launch(
            BackendKernels.CopyRows, new GridSize(GridSize.Groups(_vocabSize, Sampling.PieceTokens), draws.NumSlots), logits, _slots,
            _masks, _adjusted, _vocabSize, _words);
        var first = 0;
        foreach (var kind in Enum.GetValues<AdjustmentKind>())
        {
            var adjustments = draws.Adjustments(kind);
            if (adjustments.Length > 0)
            {
                var values = MemoryMarshal.AsBytes(adjustments);
                _launcher.Write(_adjustments.Slice((long)first * Marshal.SizeOf<LogitAdjustment>(), values.Length), values);
                _launcher.Launch(
                    BackendKernels.Adjust, new GridSize(GridSize.Groups(adjustments.Length, Wave.Lanes)), _adjustments, _adjusted, first,
                    adjustments.Length, (int)kind, _vocabSize);
                first += adjustments.Length;
            }
        }
    }
}
