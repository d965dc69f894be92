using System.Collections.Concurrent;
using Cluster.Common.Metrics;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Controller;

/// <summary>Workers that take keys from a <see cref="WorkQueue{T}"/> and reconcile them. No exception of a reconciler ends it:
/// a failed key is queued again after its backoff.</summary>
internal sealed class ControllerLoop
{
    private static readonly string[] Outcomes = ["success", "requeue", "requeue_after", "error"];

    private readonly WorkQueue<NamespacedName> _queue;
    private readonly IReconciler _reconciler;
    private readonly int _workers;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _name;
    private readonly Counter _results;
    private readonly CounterSeries _errors;
    private readonly HistogramSeries _seconds;
    private readonly ConcurrentDictionary<NamespacedName, string> _logged = new();
    private int _reconciling;

    /// <param name="workers">Keys reconciled at once; one key is never reconciled twice at once.</param>
    public ControllerLoop(
        string name, WorkQueue<NamespacedName> queue, IReconciler reconciler, int workers, MetricsRegistry metrics, TimeProvider time,
        ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        _name = name;
        _queue = queue;
        _reconciler = reconciler;
        _workers = workers;
        _time = time;
        _logger = logger;
        _results = metrics.Counter("controller_runtime_reconcile_total", "Reconciles by outcome.", "controller", "result");
        foreach (var outcome in Outcomes)
        {
            _ = _results.With(name, outcome); // Series that appear only with their first count hide that count from rate().
        }

        metrics.Gauge("controller_runtime_max_concurrent_reconciles", "Keys that may be reconciled at once.", "controller").With(name)
            .Set(workers);
        metrics.Gauge("controller_runtime_active_workers", "Keys being reconciled.", "controller").With(name)
            .Read(() => Volatile.Read(ref _reconciling));
        _errors = metrics.Counter("controller_runtime_reconcile_errors_total", "Reconciles that failed.", "controller").With(name);
        _seconds = metrics.Histogram(
            "controller_runtime_reconcile_time_seconds", "Seconds a reconcile took.", Histogram.Calls, "controller").With(name);
    }

    /// <summary>Runs until cancelled or until the queue is shut down and drained; returns when the last reconcile has ended.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, _workers).Select(_ => Task.Run(() => WorkAsync(cancellationToken), CancellationToken.None)));

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _queue.TakeAsync(cancellationToken) is (true, var key))
            {
                await ReconcileAsync(key, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The ordinary way to stop.
        }
    }

    private async Task ReconcileAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        string? outcome = null;
        Interlocked.Increment(ref _reconciling);
        try
        {
            var result = await _reconciler.ReconcileAsync(key, cancellationToken);
            _queue.Forget(key);
            outcome = "success";
            if (result.RequeueAfter is { } delay)
            {
                _queue.AddAfter(key, delay);
                outcome = "requeue_after";
            }

            if (result.Problem is { } problem)
            {
                Report(key, problem, null);
                _errors.Increment();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Neither success nor failure: whoever comes next does it.
        }
        catch (KubernetesException e) when (e.IsConflict)
        {
            // Somebody wrote between our read and our write; the cache will catch up. Nothing a user should see.
            _queue.AddRateLimited(key);
            outcome = "requeue";
        }
        catch (Exception e)
        {
            Report(key, e.Message, e is KubernetesException or HttpRequestException or IOException ? null : e);
            _queue.AddRateLimited(key);
            _errors.Increment();
            outcome = "error";
        }
        finally
        {
            Interlocked.Decrement(ref _reconciling);
            _queue.Done(key);
        }

        if (outcome is null)
        {
            return;
        }

        if (outcome == "success")
        {
            _logged.TryRemove(key, out _);
        }

        _results.With(_name, outcome).Increment();
        _seconds.Observe(_time.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>Once for each change: what goes on failing for one reason would fill the log. Where the code went is told only of mistakes
    /// of our own.</summary>
    private void Report(NamespacedName key, string problem, Exception? mistake)
    {
        if (mistake is not null || !_logged.TryGetValue(key, out var before) || before != problem)
        {
            _logged[key] = problem;
            _logger.LogError(
                mistake, "{Controller}: reconciling {Key} failed, try {Attempt}: {Message}", _name, key, _queue.Failures(key) + 1, problem);
        }
    }
}
