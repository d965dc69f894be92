using System.Globalization;
using Cluster.Common.Metrics;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Controller;

/// <summary>Requests to the API server by outcome and time, under client-go's names. Handed to <see cref="KubernetesClient.Create"/> by the
/// run command.</summary>
internal sealed class RestClientMetrics(MetricsRegistry metrics)
{
    /// <summary>client-go's label for a request that got no answer.</summary>
    private const string NoAnswer = "<error>";

    private readonly Counter _requests = metrics.Counter(
        "rest_client_requests_total", "HTTP requests by status code, method and host.", "code", "method", "host");
    private readonly Histogram _seconds = metrics.Histogram(
        "rest_client_request_duration_seconds", "Seconds a request took, by verb and host.", Histogram.Calls, "verb", "host");

    public void Observe(ApiAttempt attempt)
    {
        var code = attempt.StatusCode == 0 ? NoAnswer : attempt.StatusCode.ToString(CultureInfo.InvariantCulture);
        _requests.With(code, attempt.Method, attempt.Host).Increment();
        _seconds.With(attempt.Method, attempt.Host).Observe(attempt.Duration.TotalSeconds);
    }
}
