using System.Text.Json;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>What a gateway answers at <c>/internal/demand</c>.</summary>
internal sealed record DemandAnswer(string? Gateway, List<DeploymentDemand>? Deployments)
{
    /// <exception cref="JsonException">It is no such answer.</exception>
    public static IReadOnlyDictionary<NamespacedName, Demand> Read(string text)
    {
        var answer = JsonSerializer.Deserialize<DemandAnswer>(text, KubernetesJson.Options);
        Dictionary<NamespacedName, Demand> found = [];
        foreach (var one in answer?.Deployments ?? throw new JsonException("the answer has no deployments"))
        {
            if (one is { Namespace: { } @namespace, Name: { } name })
            {
                NamespacedName key = new(@namespace, name);
                found[key] = found.TryGetValue(key, out var before) ? before + one.ToDemand() : one.ToDemand();
            }
        }

        return found;
    }
}

/// <summary>A gateway's demand for one deployment. Numbers below zero are none.</summary>
internal sealed record DeploymentDemand(
    string? Namespace, string? Name, int Queued, int Running, long OutstandingTokens, double OldestQueuedSeconds,
    double? SecondsSinceLastRequest)
{
    public Demand ToDemand() => new(
        Math.Max(0, Queued), Math.Max(0, Running), Math.Max(0, OutstandingTokens), Math.Max(0, OldestQueuedSeconds),
        SecondsSinceLastRequest is { } seconds ? Math.Max(0, seconds) : null);
}
