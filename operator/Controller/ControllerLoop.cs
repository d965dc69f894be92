using Cluster.Common.Metrics;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Controller;

/// <summary>Workers that take keys from a <see cref="WorkQueue{T}"/> and reconcile them. No exception of a reconciler ends it:
/// a failed key is queued again after its backoff.</summary>
internal sealed class ControllerLoop
{
    private static readonly string[] Outcomes = ["success", "requeue", "requeue_after", "error"];

    private readonly WorkQueue<NamespacedName> queue;
    private readonly IReconciler reconciler;
    private readonly int workers;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly string name;
    private readonly Counter results;
    private readonly CounterSeries errors;
    private readonly HistogramSeries seconds;
    private int reconciling;

    /// <param name="workers">Keys reconciled at once; one key is never reconciled twice at once.</param>
    public ControllerLoop(string name, WorkQueue<NamespacedName> queue, IReconciler reconciler, int workers, MetricsRegistry metrics, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        this.name = name;
        this.queue = queue;
        this.reconciler = reconciler;
        this.workers = workers;
        this.time = time;
        this.logger = logger;
        results = metrics.Counter("controller_runtime_reconcile_total", "Reconciles by outcome.", "controller", "result");
        foreach (string outcome in Outcomes)
        {
            _ = results.With(name, outcome); // Series that appear only with their first count hide that count from rate().
        }

        metrics.Gauge("controller_runtime_max_concurrent_reconciles", "Keys that may be reconciled at once.", "controller").With(name).Set(workers);
        metrics.Gauge("controller_runtime_active_workers", "Keys being reconciled.", "controller").With(name).Read(() => Volatile.Read(ref reconciling));
        errors = metrics.Counter("controller_runtime_reconcile_errors_total", "Reconciles that failed.", "controller").With(name);
        seconds = metrics.Histogram("controller_runtime_reconcile_time_seconds", "Seconds a reconcile took.", Histogram.Calls, "controller").With(name);
    }

    /// <summary>Runs until cancelled or until the queue is shut down and drained; returns when the last reconcile has ended.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(() => WorkAsync(cancellationToken), CancellationToken.None)));

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await queue.TakeAsync(cancellationToken).ConfigureAwait(false) is (true, var key))
            {
                await ReconcileAsync(key, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The ordinary way to stop.
        }
    }

    private async Task ReconcileAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        string? outcome = null;
        Interlocked.Increment(ref reconciling);
        try
        {
            ReconcileResult result = await reconciler.ReconcileAsync(key, cancellationToken).ConfigureAwait(false);
            queue.Forget(key);
            outcome = "success";
            if (result.RequeueAfter is { } delay)
            {
                queue.AddAfter(key, delay);
                outcome = "requeue_after";
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Neither success nor failure: whoever comes next does it.
        }
        catch (KubernetesException e) when (e.IsConflict)
        {
            // Somebody wrote between our read and our write; the cache will catch up. Nothing a user should see.
            queue.AddRateLimited(key);
            outcome = "requeue";
        }
        catch (Exception e)
        {
            logger.LogError(e, "{Controller}: reconciling {Key} failed, try {Attempt}: {Message}", name, key, queue.Failures(key) + 1, e.Message);
            queue.AddRateLimited(key);
            errors.Increment();
            outcome = "error";
        }
        finally
        {
            Interlocked.Decrement(ref reconciling);
            queue.Done(key);
        }

        if (outcome is null)
        {
            return;
        }

        results.With(name, outcome).Increment();
        seconds.Observe(time.GetElapsedTime(started).TotalSeconds);
    }
}
