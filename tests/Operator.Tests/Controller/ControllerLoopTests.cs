using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Controller;

public sealed class ControllerLoopTests : IDisposable
{
    private static readonly NamespacedName Key = new("ns", "a");
    private readonly ManualTime _time = new();
    private readonly MetricsRegistry _metrics = new();
    private readonly WorkQueue<NamespacedName> _queue;

    public ControllerLoopTests() => _queue = new WorkQueue<NamespacedName>("test", _time, _metrics);

    public void Dispose() => _queue.Dispose();

    [Fact]
    public async Task A_failing_reconcile_comes_again_after_its_backoff_and_never_ends_the_loop()
    {
        var calls = 0;
        var loop = Run(_ => ++calls < 4 ? throw new InvalidOperationException("no") : ReconcileResult.Done);
        _queue.Add(Key);
        for (var i = 1; i < 4; i++)
        {
            await Eventually.True(() => _time.PendingTimers == 1 && _queue.Failures(Key) == i, $"failure {i}");
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        await Eventually.True(() => calls == 4 && _queue.Failures(Key) == 0, "success");
        await Stop(loop);
        var text = _metrics.Render();
        Assert.Contains("controller_runtime_reconcile_total{controller=\"test\",result=\"error\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_total{controller=\"test\",result=\"success\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_errors_total{controller=\"test\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_time_seconds_count{controller=\"test\"} 4\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_conflict_comes_again_without_counting_as_an_error()
    {
        var calls = 0;
        var loop = Run(_ => ++calls == 1 ? throw new KubernetesException(409, "Conflict", "changed meanwhile") : ReconcileResult.Done);
        _queue.Add(Key);
        await Eventually.True(() => _time.PendingTimers == 1, "the retry waits");
        _time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.True(() => calls == 2, "the retry");
        await Stop(loop);
        Assert.Contains("controller_runtime_reconcile_errors_total{controller=\"test\"} 0\n", _metrics.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reconcile_can_ask_to_be_called_again_later()
    {
        var calls = 0;
        var loop = Run(_ => ++calls == 1 ? ReconcileResult.After(TimeSpan.FromMinutes(1)) : ReconcileResult.Done);
        _queue.Add(Key);
        await Eventually.True(() => _time.PendingTimers == 1, "the delay");
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(1, calls);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.True(() => calls == 2, "the second call");
        await Stop(loop);
    }

    [Fact]
    public async Task Cancelling_waits_for_the_reconcile_in_progress()
    {
        using CancellationTokenSource cancel = new();
        TaskCompletionSource entered = new();
        TaskCompletionSource leave = new();
        var loop = new ControllerLoop("test", _queue, new Reconciler(async _ =>
        {
            entered.SetResult();
            await leave.Task;
            return ReconcileResult.Done;
        }), 2, _metrics, _time, NullLogger.Instance).RunAsync(cancel.Token);
        _queue.Add(Key);
        await entered.Task;
        await cancel.CancelAsync();
        Assert.False(loop.IsCompleted);
        leave.SetResult();
        await loop;
    }

    private Task Run(Func<NamespacedName, ReconcileResult> reconcile) =>
        new ControllerLoop("test", _queue, new Reconciler(key => Task.FromResult(reconcile(key))), 2, _metrics, _time, NullLogger.Instance)
            .RunAsync(CancellationToken.None);

    private async Task Stop(Task loop)
    {
        _queue.ShutDown();
        await loop;
    }

    private sealed class Reconciler(Func<NamespacedName, Task<ReconcileResult>> reconcile) : IReconciler
    {
        public Task<ReconcileResult> ReconcileAsync(NamespacedName key, CancellationToken cancellationToken) => reconcile(key);
    }
}
