using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Relay;
using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway;

/// <summary>What the endpoints of a gateway share. Made by <see cref="GatewayHost"/>.</summary>
internal sealed class GatewayServices(GatewayOptions options, ReplicaTable replicas) : IDisposable
{
    public GatewayOptions Options { get; } = options;

    public ReplicaTable Replicas { get; } = replicas;

    public ReplicaConnections Connections { get; } = new();

    public RequestBytes Bodies { get; } = new(options.MaxRequestBytes, options.MaxInflightRequestBytes);

    /// <param name="model">As the client calls it; null takes the only one there is.</param>
    /// <exception cref="GatewayException">No deployment serves it.</exception>
    public IReadOnlyList<ServingDeployment> RequireModel(string? model)
    {
        var snapshot = Replicas.Snapshot;
        var known = snapshot.Models.Count == 0 ? "there is none" : $"there are: {string.Join(", ", snapshot.Models)}";
        if (model is not null)
        {
            return snapshot.OfModel(model) is { Count: > 0 } found
                ? found
                : throw GatewayException.NotFound($"the model '{Shown(model)}' does not exist; {known}", "model_not_found", "model");
        }

        return snapshot.Models is [var only]
            ? snapshot.OfModel(only)
            : throw GatewayException.NotFound($"the request names no model ('model', or the header X-Model); {known}", "model_not_found", "model");
    }

    /// <summary>Why no replica answers, in the words of the deployments' conditions.</summary>
    public static string WhyNone(IReadOnlyList<ServingDeployment> deployments) =>
        string.Join(
            "; ",
            deployments.Select(deployment => $"{deployment.Name} has no ready replica"
                + (deployment.Trouble.Length > 0 ? $" ({deployment.Trouble})" : "")));

    /// <summary>What a caller sent, as far as it fits into a message.</summary>
    private static string Shown(string text) => text.Length <= 100 ? text : string.Concat(text.AsSpan(0, 100), "…");

    public void Dispose() => Connections.Dispose();
}
