using Cluster.Worker.Models;

namespace Cluster.Worker.Benchmarking;

/// <summary>Times the steps of a runner and, between them, the engine. Stands between <see cref="Engine.LlmEngine"/> and its runner in benchmarks.</summary>
/// <param name="cost">What steps are counted as; null counts rows and time only.</param>
internal sealed class MeteredRunner(IModelRunner runner, ModelCost? cost, TimeProvider time) : DelegatingRunner(runner)
{
    private readonly object gate = new();
    private StepTotals prefill;
    private StepTotals decode;
    private double betweenSeconds;
    private long launched;
    private long? finished;
    private bool isDecode;
    private int rows;
    private double bytes;
    private double operations;

    /// <summary>Steps with a part of a prompt, those of sequences that decode beside it included; steps that only decode; and the seconds from each step's
    /// logits to the launch of the next, in which the engine samples, keeps its books and plans.</summary>
    public (StepTotals Prefill, StepTotals Decode, double BetweenSeconds) Totals
    {
        get
        {
            lock (gate)
            {
                return (prefill, decode, betweenSeconds);
            }
        }
    }

    /// <summary>Forgets what was counted. Call while nothing runs: the pause that follows is not counted.</summary>
    public void Reset()
    {
        lock (gate)
        {
            (prefill, decode, betweenSeconds, finished) = (default, default, 0, null);
        }
    }

    public override void Launch(StepBatch batch)
    {
        isDecode = batch.MaxQueryLength == 1;
        rows = batch.NumTokens;
        (bytes, operations) = cost is null ? (0, 0) : (cost.Bytes(batch), cost.Operations(batch));
        launched = time.GetTimestamp();
        lock (gate)
        {
            betweenSeconds += finished is { } end ? time.GetElapsedTime(end, launched).TotalSeconds : 0;
        }

        base.Launch(batch);
    }

    public override ReadOnlySpan<float> WaitForLogits()
    {
        var logits = base.WaitForLogits();
        var now = time.GetTimestamp();
        var seconds = time.GetElapsedTime(launched, now).TotalSeconds;
        lock (gate)
        {
            finished = now;
            if (isDecode)
            {
                decode = decode.Add(rows, seconds, bytes, operations);
            }
            else
            {
                prefill = prefill.Add(rows, seconds, bytes, operations);
            }
        }

        return logits;
    }
}
