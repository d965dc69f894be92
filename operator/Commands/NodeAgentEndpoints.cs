using System.Net;
using Cluster.Common;
using Cluster.Common.Metrics;
using Cluster.Operator.NodeAgent;

namespace Cluster.Operator.Commands;

/// <summary>The node agent's HTTP: <c>/healthz</c> (its loop turns), <c>/readyz</c> (it does all of its work; the body says what it cannot
/// do) and <c>/metrics</c>.</summary>
internal static class NodeAgentEndpoints
{
    /// <param name="port">0 takes a free one.</param>
    /// <param name="allowedHosts">Names that it may be asked under, besides its own on loopback.</param>
    /// <returns>The running server, and its base address.</returns>
    /// <exception cref="CommandFailure">The address is none.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<(WebApplication Server, string Address)> StartAsync(
        string host, int port, NodeAgentHealth health, MetricsRegistry metrics, CancellationToken cancellationToken,
        IReadOnlyList<string>? allowedHosts = null)
    {
        var address = IPAddress.TryParse(host, out var parsed)
            ? parsed
            : throw new CommandFailure($"--metrics-host {host}: not an IP address");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(address, port));
        var server = builder.Build();
        server.UseHostCheck(address, allowedHosts ?? []);
        server.MapGet("/healthz", () => health.IsAlive ? Results.Text("ok") : Unavailable("the agent's loop has stopped"));
        server.MapGet(
            "/readyz", () => health.Problems is { Count: > 0 } problems ? Unavailable(string.Join('\n', problems)) : Results.Text("ok"));
        server.MapGet("/metrics", () => Results.Text(metrics.Render(), MetricsRegistry.ContentType));
        await server.StartAsync(cancellationToken);
        return (server, server.Urls.Single());
    }

    private static IResult Unavailable(string reason) => Results.Text(reason, statusCode: StatusCodes.Status503ServiceUnavailable);
}
