using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Benchmarking;

/// <summary>Times the steps of a runner and, between them, the engine. Stands between <see cref="Engine.LlmEngine"/> and its runner in
/// benchmarks.</summary>
/// <param name="cost">What steps are counted as; null counts rows and time only.</param>
/// <param name="profile">Told each step that it will see the operations of; null for none.</param>
internal sealed class MeteredRunner(IModelRunner runner, ModelCost? cost, TimeProvider time, OperationProfile? profile = null)
    : DelegatingRunner(runner)
{
    private readonly object _gate = new();
    private StepTotals _prefill;
    private StepTotals _decode;
    private double _betweenSeconds;
    private long _launched;
    private long? _finished;
    private bool _isDecode;
    private int _rows;
    private double _bytes;
    private double _operations;

    /// <summary>Steps with a part of a prompt, those of sequences that decode beside it included; steps that only decode; and the seconds
    /// from each step's logits to the launch of the next, in which the engine samples, keeps its books and plans.</summary>
    public (StepTotals Prefill, StepTotals Decode, double BetweenSeconds) Totals
    {
        get
        {
            lock (_gate)
            {
                return (_prefill, _decode, _betweenSeconds);
            }
        }
    }

    /// <summary>Forgets what was counted. Call while nothing runs: the pause that follows is not counted.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            (_prefill, _decode, _betweenSeconds, _finished) = (default, default, 0, null);
            profile?.Reset();
        }
    }

    public override void Launch(StepBatch batch)
    {
        _isDecode = batch.MaxQueryLength == 1;
        _rows = batch.NumTokens;
        (_bytes, _operations) = cost is null ? (0, 0) : (cost.Bytes(batch), cost.Operations(batch));
        profile?.Begin(batch.QueryStarts.AsSpan(0, batch.NumSequences + 1), batch.ContextLengths.AsSpan(0, batch.NumSequences));
        _launched = time.GetTimestamp();
        lock (_gate)
        {
            _betweenSeconds += _finished is { } end ? time.GetElapsedTime(end, _launched).TotalSeconds : 0;
        }

        base.Launch(batch);
    }

    public override ReadOnlySpan<float> WaitForLogits()
    {
        var logits = base.WaitForLogits();
        var now = time.GetTimestamp();
        var seconds = time.GetElapsedTime(_launched, now).TotalSeconds;
        lock (_gate)
        {
            _finished = now;
            if (_isDecode)
            {
                _decode = _decode.Add(_rows, seconds, _bytes, _operations);
            }
            else
            {
                _prefill = _prefill.Add(_rows, seconds, _bytes, _operations);
            }
        }

        return logits;
    }
}
