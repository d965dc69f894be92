using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment's two services: <c>NAME</c> spreads connections over ready pods, headless <c>NAME-pods</c> lets
/// clients find each pod. Called by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class WorkerServices(IKubernetesClient client, ObjectStore<Service> services)
{
    /// <summary>Label selector of every object the operator makes.</summary>
    public const string Selector = "app.kubernetes.io/managed-by=cluster-operator";

    private readonly OwnedObjects<Service> owned = new(client, services);

    /// <exception cref="InvalidModelDeploymentException">A service of that name exists and is somebody else's.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        await owned.ApplyAsync(deployment, Manifest(deployment, headless: false), cancellationToken).ConfigureAwait(false);
        await owned.ApplyAsync(deployment, Manifest(deployment, headless: true), cancellationToken).ConfigureAwait(false);
    }

    public static JsonObject Manifest(ModelDeployment deployment, bool headless)
    {
        string name = deployment.Metadata.Name;
        JsonObject spec = new()
        {
            ["type"] = "ClusterIP",
            ["selector"] = new JsonObject { [ApiNames.DeploymentLabel] = name },
            ["ports"] = new JsonArray(Port("http", EngineArguments.HttpPort, appProtocol: null), Port("grpc", EngineArguments.GrpcPort, "kubernetes.io/h2c")),
        };
        if (headless)
        {
            spec["clusterIP"] = "None";
        }

        return OwnedObjects<Service>.Manifest(deployment, headless ? name + "-pods" : name, spec);
    }

    private static JsonObject Port(string name, int port, string? appProtocol)
    {
        JsonObject result = new() { ["name"] = name, ["port"] = port, ["targetPort"] = name, ["protocol"] = "TCP" };
        if (appProtocol is not null)
        {
            result["appProtocol"] = appProtocol;
        }

        return result;
    }
}
