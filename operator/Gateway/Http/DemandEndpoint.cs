using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Operator.Gateway.Http;

/// <summary><c>GET /internal/demand</c>: what is asked of each deployment, for the operator, which scales by it.</summary>
internal sealed class DemandEndpoint(GatewayServices services)
{
    private readonly string _key = GatewayKey.DeriveDemand(services.Options.MasterKey);

    public Task HandleAsync(HttpContext context)
    {
        if (context.Request.Headers[GatewayKey.Header] is not [var only] || !GatewayKey.Matches(only, _key))
        {
            throw GatewayException.Forbidden($"{GatewayKey.Header} is missing or wrong; it is derived from the master key", "gateway_key");
        }

        var queues = services.Dispatcher.Queues.ToDictionary(queue => queue.Model, StringComparer.Ordinal);
        var deployments = services.Replicas.Snapshot.Deployments.Select(deployment =>
        {
            var demand = queues.TryGetValue(deployment.ServedName, out var queue) ? queue.DemandOf(deployment) : QueueDemand.None;
            return (JsonNode)new JsonObject
            {
                ["namespace"] = deployment.Name.Namespace,
                ["name"] = deployment.Name.Name,
                ["queued"] = demand.Queued,
                ["running"] = demand.Running,
                ["outstandingTokens"] = demand.OutstandingTokens,
                ["oldestQueuedSeconds"] = demand.OldestQueuedSeconds,
                ["secondsSinceLastRequest"] = demand.SecondsSinceLastRequest,
            };
        });
        return context.Response.WriteAsJsonAsync(
            new JsonObject { ["gateway"] = services.Options.Name, ["deployments"] = new JsonArray([.. deployments]) },
            context.RequestAborted);
    }
}
