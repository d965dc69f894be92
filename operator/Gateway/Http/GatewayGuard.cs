using System.Net;
using Cluster.Common;

namespace Cluster.Operator.Gateway.Http;

/// <summary>What is turned away before anything else: other sites' pages and names that are not the gateway's own, and headers that only a
/// gateway may send.</summary>
internal static class GatewayGuard
{
    private const string InternalPrefix = "x-cluster-";

    public static void UseGatewayGuard(this WebApplication app, IPAddress bound, IReadOnlyList<string> allowedHosts)
    {
        var guard = new HostGuard(bound, allowedHosts, []);
        app.Use(next => context =>
        {
            var origin = context.Request.Headers.Origin;
            return guard.Check(context.Request.Host.Value ?? "", origin.Count == 0 ? null : origin.ToString()) is { } refusal
                ? GatewayErrors.WriteAsync(context, new GatewayException(refusal.Status, refusal.Message, "invalid_request_error"))
                : next(context);
        });
    }

    /// <exception cref="GatewayException">The client sends a header that workers trust.</exception>
    public static void RefuseInternalHeaders(IHeaderDictionary headers)
    {
        foreach (var name in headers.Keys)
        {
            if (name.StartsWith(InternalPrefix, StringComparison.OrdinalIgnoreCase))
            {
                throw GatewayException.Forbidden(
                    $"the header '{name}' is between gateway and workers; clients may not send it", "internal_header");
            }
        }
    }
}
