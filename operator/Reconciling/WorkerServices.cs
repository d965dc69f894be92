using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment's two services: <c>NAME</c> spreads connections over ready pods, headless <c>NAME-pods</c> lets
/// clients find each pod. Called by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class WorkerServices(IKubernetesClient client, ObjectStore<V1Service> services)
{
    /// <summary>Label selector of every object the operator makes.</summary>
    public const string Selector = "app.kubernetes.io/managed-by=cluster-operator";

    private readonly OwnedObjects<V1Service> _owned = new(client, services, metadata => metadata.ResourceVersion);

    /// <exception cref="InvalidModelDeploymentException">A service of that name exists and is somebody else's.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        await _owned.ApplyAsync(deployment, Manifest(deployment, headless: false), cancellationToken);
        await _owned.ApplyAsync(deployment, Manifest(deployment, headless: true), cancellationToken);
    }

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName deployment)
    {
        _owned.Forget(deployment);
        _owned.Forget(deployment with { Name = NameOf(deployment.Name, headless: true) });
    }

    public static JsonObject Manifest(ModelDeployment deployment, bool headless)
    {
        JsonObject spec = new()
        {
            ["type"] = "ClusterIP",
            ["selector"] = new JsonObject { [ApiNames.DeploymentLabel] = deployment.Metadata.Name },
            ["ports"] = new JsonArray(
                Port("http", WorkerFlags.DefaultHttpPort, appProtocol: null),
                Port("grpc", WorkerFlags.DefaultGrpcPort, "kubernetes.io/h2c")),
        };
        if (headless)
        {
            spec["clusterIP"] = "None";
        }

        return OwnedObjects<V1Service>.Manifest(deployment, NameOf(deployment.Metadata.Name, headless), spec);
    }

    private static string NameOf(string deployment, bool headless) => headless ? deployment + "-pods" : deployment;

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
