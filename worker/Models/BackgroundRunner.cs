using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Cluster.Worker.Models;

/// <summary>Gives a device that computes at once (the CPU) a thread of its own, so that <see cref="Launch"/> returns and the engine delivers outputs and plans
/// while a step is computed. Called by the engine's thread; calls the runner it wraps and owns it.</summary>
/// <remarks>Both threads spin briefly before they sleep: the other one is mostly a few microseconds away, and waking a thread costs about fifty.</remarks>
internal sealed class BackgroundRunner : DelegatingRunner
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;

    private readonly Thread thread;
    private readonly object gate = new();
    private StepBatch? launched;
    private ExceptionDispatchInfo? failure;
    private volatile bool busy;
    private volatile bool stopping;

    public BackgroundRunner(IModelRunner runner)
        : base(runner)
    {
        thread = new Thread(Work) { IsBackground = true, Name = "device" };
        thread.Start();
    }

    public override bool RunsInBackground => true;

    /// <exception cref="InvalidOperationException">The step before was not waited for.</exception>
    public override void Launch(StepBatch batch)
    {
        if (busy)
        {
            throw new InvalidOperationException("a step was launched while another runs");
        }

        lock (gate)
        {
            launched = batch;
            busy = true;
            Monitor.PulseAll(gate);
        }
    }

    /// <remarks>What went wrong in the step is thrown here.</remarks>
    public override ReadOnlySpan<float> WaitForLogits()
    {
        Await(work: false);
        failure?.Throw();
        return base.WaitForLogits();
    }

    /// <summary>Waits for the step without taking its logits.</summary>
    /// <returns>What went wrong; null when nothing did.</returns>
    public Exception? WaitForFailure()
    {
        Await(work: false);
        return failure?.SourceException;
    }

    public override void Dispose()
    {
        lock (gate)
        {
            stopping = true;
            Monitor.PulseAll(gate);
        }

        thread.Join();
        base.Dispose();
    }

    private void Work()
    {
        while (true)
        {
            Await(work: true);
            if (!busy)
            {
                return;
            }

            try
            {
                Inner.Launch(launched!);
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }

            lock (gate)
            {
                busy = false;
                Monitor.PulseAll(gate);
            }
        }
    }

    /// <param name="work">True to wait for a step or the end, false for the end of the step.</param>
    private void Await(bool work)
    {
        var start = Stopwatch.GetTimestamp();
        while (!IsOver(work) && Stopwatch.GetTimestamp() - start < SpinTicks)
        {
            Thread.SpinWait(8);
        }

        if (IsOver(work))
        {
            return;
        }

        lock (gate)
        {
            while (!IsOver(work))
            {
                Monitor.Wait(gate);
            }
        }
    }

    private bool IsOver(bool work) => busy == work || (work && stopping);
}
