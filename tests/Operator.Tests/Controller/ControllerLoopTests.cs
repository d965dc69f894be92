using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cluster.Operator.Tests.Controller;

public sealed class ControllerLoopTests : IDisposable
{
    private static readonly NamespacedName Key = new("ns", "a");
    private readonly ManualTime time = new();
    private readonly MetricsRegistry metrics = new();
    private readonly WorkQueue<NamespacedName> queue;

    public ControllerLoopTests() => queue = new WorkQueue<NamespacedName>("test", time, metrics);

    public void Dispose() => queue.Dispose();

    [Fact]
    public async Task A_failing_reconcile_comes_again_after_its_backoff_and_never_ends_the_loop()
    {
        int calls = 0;
        Task loop = Run(_ => ++calls < 4 ? throw new InvalidOperationException("no") : ReconcileResult.Done);
        queue.Add(Key);
        for (int i = 1; i < 4; i++)
        {
            await Eventually.True(() => time.PendingTimers == 1 && queue.Failures(Key) == i, $"failure {i}");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        await Eventually.True(() => calls == 4 && queue.Failures(Key) == 0, "success");
        await Stop(loop);
        string text = metrics.Render();
        Assert.Contains("controller_runtime_reconcile_total{controller=\"test\",result=\"error\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_total{controller=\"test\",result=\"success\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_errors_total{controller=\"test\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("controller_runtime_reconcile_time_seconds_count{controller=\"test\"} 4\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_conflict_comes_again_without_counting_as_an_error()
    {
        int calls = 0;
        Task loop = Run(_ => ++calls == 1 ? throw new KubernetesException(409, "Conflict", "changed meanwhile") : ReconcileResult.Done);
        queue.Add(Key);
        await Eventually.True(() => time.PendingTimers == 1, "the retry waits");
        time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.True(() => calls == 2, "the retry");
        await Stop(loop);
        Assert.Contains("controller_runtime_reconcile_errors_total{controller=\"test\"} 0\n", metrics.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reconcile_can_ask_to_be_called_again_later()
    {
        int calls = 0;
        Task loop = Run(_ => ++calls == 1 ? ReconcileResult.After(TimeSpan.FromMinutes(1)) : ReconcileResult.Done);
        queue.Add(Key);
        await Eventually.True(() => time.PendingTimers == 1, "the delay");
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(1, calls);
        time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.True(() => calls == 2, "the second call");
        await Stop(loop);
    }

    [Fact]
    public async Task Cancelling_waits_for_the_reconcile_in_progress()
    {
        using CancellationTokenSource cancel = new();
        TaskCompletionSource entered = new();
        TaskCompletionSource leave = new();
        Task loop = new ControllerLoop("test", queue, new Reconciler(async _ =>
        {
            entered.SetResult();
            await leave.Task;
            return ReconcileResult.Done;
        }), 2, metrics, time, NullLogger.Instance).RunAsync(cancel.Token);
        queue.Add(Key);
        await entered.Task;
        await cancel.CancelAsync();
        Assert.False(loop.IsCompleted);
        leave.SetResult();
        await loop;
    }

    private Task Run(Func<NamespacedName, ReconcileResult> reconcile) =>
        new ControllerLoop("test", queue, new Reconciler(key => Task.FromResult(reconcile(key))), 2, metrics, time, NullLogger.Instance).RunAsync(CancellationToken.None);

    private async Task Stop(Task loop)
    {
        queue.ShutDown();
        await loop;
    }

    private sealed class Reconciler(Func<NamespacedName, Task<ReconcileResult>> reconcile) : IReconciler
    {
        public Task<ReconcileResult> ReconcileAsync(NamespacedName key, CancellationToken cancellationToken) => reconcile(key);
    }
}
