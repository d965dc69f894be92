using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Benchmarking.Serving;

/// <summary>One run of a sweep.</summary>
/// <param name="RequestRate">Requests a second that were offered; infinity for all at once.</param>
internal sealed record LoadPoint(double RequestRate, ServeMetrics Metrics);
