using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Autoscaling;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>The internal port of a gateway, whose demand a scenario makes up.</summary>
internal sealed class FakeDemand : IAsyncDisposable
{
    private static readonly byte[] Master = GatewayKey.NewMaster();

    private readonly WebApplication _application;
    private readonly string _namespace;
    private readonly string _deployment;

    private FakeDemand(WebApplication application, string @namespace, string deployment) =>
        (_application, _namespace, _deployment) = (application, @namespace, deployment);

    /// <summary>Null does not answer.</summary>
    public Demand? Demand { get; set; } = Demand.None;

    public GatewayAccess Access => new(Master) { Urls = [new Uri(_application.Urls.Single())] };

    public static async Task<FakeDemand> StartAsync(string @namespace, string deployment)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        FakeDemand demand = new(builder.Build(), @namespace, deployment);
        demand._application.MapGet("/internal/demand", demand.AnswerAsync);
        await demand._application.StartAsync();
        return demand;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        if (Demand is not { } demand || !GatewayKey.Matches(context.Request.Headers[GatewayKey.Header], GatewayKey.DeriveDemand(Master)))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return Task.CompletedTask;
        }

        JsonObject one = new()
        {
            ["namespace"] = _namespace,
            ["name"] = _deployment,
            ["queued"] = demand.Queued,
            ["running"] = demand.Running,
            ["outstandingTokens"] = demand.OutstandingTokens,
            ["oldestQueuedSeconds"] = demand.OldestQueuedSeconds,
            ["secondsSinceLastRequest"] = demand.SecondsSinceLastRequest,
        };
        return context.Response.WriteAsync(new JsonObject { ["deployments"] = new JsonArray(one) }.ToJsonString());
    }
}
