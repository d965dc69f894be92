namespace Cluster.Worker.Serving.Metrics;

/// <summary>When a request of the engine got how far, since its arrival. Measured by <see cref="MeteredEngine"/>, counted by <see cref="WorkerMetrics"/>.</summary>
/// <param name="Queue">When the scheduler first took it; null when it never did.</param>
/// <param name="FirstToken">When its first token came; null when none did.</param>
internal readonly record struct RequestTimes(TimeSpan? Queue, TimeSpan? FirstToken, TimeSpan End);
