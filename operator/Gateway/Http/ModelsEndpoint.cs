using System.Text.Json.Nodes;
using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Http;

/// <summary><c>GET /v1/models</c>: every served name with its state, as OpenAI's list.</summary>
internal static class ModelsEndpoint
{
    /// <summary>A model is as well as its best deployment.</summary>
    private static readonly string[] Best = ["ready", "starting", "idle", "stopped"];

    /// <param name="mayUse">Whether the caller may see a model.</param>
    public static JsonObject List(RoutingSnapshot snapshot, Func<string, bool> mayUse) => new()
    {
        ["object"] = "list",
        ["data"] = new JsonArray([.. snapshot.Models.Where(mayUse).Select(model => Card(model, snapshot.OfModel(model)))]),
    };

    /// <param name="deployments">Those of the model; at least one.</param>
    public static JsonObject Card(string model, IReadOnlyList<ServingDeployment> deployments) => new()
    {
        ["id"] = model,
        ["object"] = "model",
        ["created"] = deployments.Min(deployment => deployment.Created).ToUnixTimeSeconds(),
        ["owned_by"] = "cluster",
        ["state"] = State(deployments),
        ["deployments"] = new JsonArray([.. deployments.Select(deployment => new JsonObject
        {
            ["namespace"] = deployment.Name.Namespace,
            ["name"] = deployment.Name.Name,
            ["state"] = deployment.State,
            ["ready_replicas"] = deployment.ReadyReplicas,
        })]),
    };

    private static string State(IReadOnlyList<ServingDeployment> deployments)
    {
        string[] states = [.. deployments.Select(deployment => deployment.State)];
        return Best.First(state => states.Contains(state));
    }
}
