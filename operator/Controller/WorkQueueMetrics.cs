using Cluster.Common.Metrics;

namespace Cluster.Operator.Controller;

/// <summary>The series of one <see cref="WorkQueue{T}"/>, under controller-runtime's names.</summary>
internal sealed class WorkQueueMetrics
{
    public WorkQueueMetrics(string name, MetricsRegistry registry, Func<double> unfinishedSeconds, Func<double> longestSeconds)
    {
        Depth = registry.Gauge("workqueue_depth", "Items waiting in the queue.", "name").With(name);
        Adds = registry.Counter("workqueue_adds_total", "Items added to the queue.", "name").With(name);
        Retries = registry.Counter("workqueue_retries_total", "Items added again after a failure.", "name").With(name);
        QueueDuration = registry.Histogram(
            "workqueue_queue_duration_seconds", "Seconds an item waited before it was taken.", Histogram.FastToSlow, "name").With(name);
        WorkDuration = registry.Histogram("workqueue_work_duration_seconds", "Seconds an item was worked on.", Histogram.FastToSlow, "name")
            .With(name);
        registry.Gauge("workqueue_unfinished_work_seconds", "Seconds of work in progress, summed over the items being worked on.", "name")
            .With(name).Read(unfinishedSeconds);
        registry.Gauge("workqueue_longest_running_processor_seconds", "Seconds the longest running item has been worked on.", "name")
            .With(name).Read(longestSeconds);
    }

    public GaugeSeries Depth { get; }

    public CounterSeries Adds { get; }

    public CounterSeries Retries { get; }

    public HistogramSeries QueueDuration { get; }

    public HistogramSeries WorkDuration { get; }
}
