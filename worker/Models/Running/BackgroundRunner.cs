using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Cluster.Worker.Models.Running;

/// <summary>Gives a device that computes at once (the CPU) a thread of its own, so that <see cref="Launch"/> returns and the engine
/// delivers outputs and plans while a step is computed. Called by the engine's thread; calls the runner it wraps and owns it.</summary>
/// <remarks>Both threads spin briefly before they sleep: the other one is mostly a few microseconds away, and waking a thread costs about
/// fifty. The device's goes on for as long as it takes to choose the tokens of a large batch, letting others run in between: the step
/// would wait for it to wake up.</remarks>
internal sealed class BackgroundRunner : DelegatingRunner
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;
    private static readonly long YieldTicks = Stopwatch.Frequency / 2_000;

    private readonly Thread _thread;
    private readonly object _gate = new();
    private StepBatch? _launched;
    private ExceptionDispatchInfo? _failure;
    private volatile bool _busy;
    private volatile bool _stopping;

    public BackgroundRunner(IModelRunner runner)
        : base(runner)
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "device" };
        _thread.Start();
    }

    public override bool RunsInBackground => true;

    /// <exception cref="InvalidOperationException">The step before was not waited for.</exception>
    public override void Launch(StepBatch batch)
    {
        if (_busy)
        {
            throw new InvalidOperationException("a step was launched while another runs");
        }

        lock (_gate)
        {
            _launched = batch;
            _busy = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <remarks>What went wrong in the step is thrown here.</remarks>
    public override ReadOnlySpan<float> WaitForLogits()
    {
        Await(work: false);
        _failure?.Throw();
        return base.WaitForLogits();
    }

    /// <summary>Waits for the step without taking its logits.</summary>
    /// <returns>What went wrong; null when nothing did.</returns>
    public Exception? WaitForFailure()
    {
        Await(work: false);
        return _failure?.SourceException;
    }

    public override void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
        base.Dispose();
    }

    private void Work()
    {
        while (true)
        {
            Await(work: true);
            if (!_busy)
            {
                return;
            }

            try
            {
                Inner.Launch(_launched!);
            }
            catch (Exception exception)
            {
                _failure = ExceptionDispatchInfo.Capture(exception);
            }

            lock (_gate)
            {
                _busy = false;
                Monitor.PulseAll(_gate);
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

        while (work && !IsOver(work) && Stopwatch.GetTimestamp() - start < YieldTicks)
        {
            Thread.SpinWait(8);
            Thread.Yield();
        }

        if (IsOver(work))
        {
            return;
        }

        lock (_gate)
        {
            while (!IsOver(work))
            {
                Monitor.Wait(_gate);
            }
        }
    }

    private bool IsOver(bool work) => _busy == work || (work && _stopping);
}
