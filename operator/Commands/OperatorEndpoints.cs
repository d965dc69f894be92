using System.Net;
using Cluster.Common;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Commands;

/// <summary>The operator's own HTTP: <c>/metrics</c> for Prometheus, <c>/healthz</c> and <c>/readyz</c> for its probes.</summary>
internal sealed class OperatorEndpoints : IAsyncDisposable
{
    private readonly WebApplication? _application;

    private OperatorEndpoints(WebApplication? application) => _application = application;

    /// <param name="port">0 serves nothing.</param>
    /// <param name="readiness">What <c>/readyz</c> says: 200 while the operator leads or stands by, 503 while it waits for the API
    /// server.</param>
    /// <exception cref="CommandFailure">The address is none.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<OperatorEndpoints> StartAsync(
        string host, int port, MetricsRegistry metrics, Readiness readiness, CancellationToken cancellationToken,
        IReadOnlyList<string>? allowedHosts = null)
    {
        if (port == 0)
        {
            return new OperatorEndpoints(null);
        }

        var address = IPAddress.TryParse(host, out var parsed)
            ? parsed
            : throw new CommandFailure($"--metrics-host {host}: not an IP address");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(address, port));
        var application = builder.Build();
        application.UseHostCheck(address, allowedHosts ?? []);
        application.MapGet("/metrics", () => Results.Text(metrics.Render(), MetricsRegistry.ContentType));
        application.MapGet("/healthz", () => "ok");
        application.MapGet(
            "/readyz", () => Results.Text(readiness.Text, statusCode: readiness.IsReady ? 200 : StatusCodes.Status503ServiceUnavailable));
        await application.StartAsync(cancellationToken);
        return new OperatorEndpoints(application);
    }

    public ValueTask DisposeAsync() => _application?.DisposeAsync() ?? ValueTask.CompletedTask;
}
