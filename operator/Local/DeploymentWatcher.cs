using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Spectre.Console;

namespace Cluster.Operator.Local;

/// <summary>Waits for deployments to become ready and tells every change of their conditions on the way.</summary>
internal sealed class DeploymentWatcher(IKubernetesClient client, IAnsiConsole console)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, string> _told = new(StringComparer.Ordinal);

    /// <param name="timeout">Null waits for ever.</param>
    /// <returns>Every replica of every deployment (none of one that is to have none until somebody asks for it), and what clients call
    /// the deployments.</returns>
    /// <exception cref="CommandFailure">Not ready in time; the message says what is missing.</exception>
    public async Task<(IReadOnlyList<ReplicaEndpoint> Replicas, IReadOnlyList<string> Models)> WaitAsync(
        IReadOnlyList<(string Namespace, string Name)> deployments, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        var (replicas, models) = (new List<ReplicaEndpoint>(), new List<string>());
        foreach (var (@namespace, name) in deployments)
        {
            ModelDeployment deployment;
            while (true)
            {
                deployment = await client.GetAsync<ModelDeployment>(@namespace, name, cancellationToken);
                Tell(deployment);
                if (IsReady(deployment))
                {
                    break;
                }

                if (TimeProvider.System.GetElapsedTime(started) > timeout)
                {
                    throw new CommandFailure($"{name} is not ready after {timeout.Value.TotalSeconds:0} s: {Explain(deployment)}");
                }

                await Task.Delay(PollInterval, cancellationToken);
            }

            models.Add(deployment.ServedName());
            replicas.AddRange(await EndpointsAsync(deployment, cancellationToken));
        }

        return (replicas, models);
    }

    private static bool IsReady(ModelDeployment deployment)
    {
        var wanted = deployment.Scaled().Spec.Replicas;
        return deployment.Status is { } status
            && status.ObservedGeneration == deployment.Metadata.Generation
            && status.ReadyReplicas >= wanted
            && status.UpdatedReplicas >= wanted;
    }

    private static string Explain(ModelDeployment deployment)
    {
        var wrong = (deployment.Status?.Conditions ?? [])
            .Where(
                condition =>
                    condition.Status == (condition.Type == "Degraded" ? "True" : "False") && !string.IsNullOrEmpty(condition.Message))
            .Select(condition => $"{condition.Type}: {condition.Message}");
        return string.Join("; ", wrong.DefaultIfEmpty("the operator has not reported on it"));
    }

    private async Task<IEnumerable<ReplicaEndpoint>> EndpointsAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        var pods = await client.ListAsync<V1Pod>(
            deployment.Metadata.NamespaceProperty, new Selection($"{ApiNames.DeploymentLabel}={deployment.Metadata.Name}"),
            cancellationToken);
        var addresses = pods.Items.ToDictionary(pod => pod.Metadata.Name, pod => pod.Status?.PodIP, StringComparer.Ordinal);
        return (deployment.Status?.Placements ?? [])
            .Where(placement => placement.Ready && addresses.GetValueOrDefault(placement.Pod) is not null).Select(placement =>
            new ReplicaEndpoint(
                deployment.Metadata.Name,
                deployment.ServedName(),
                placement.Pod,
                placement.Node ?? "",
                placement.Gpus,
                $"http://{addresses[placement.Pod]}:8000",
                $"{addresses[placement.Pod]}:50051"));
    }

    private void Tell(ModelDeployment deployment)
    {
        foreach (var condition in deployment.Status?.Conditions ?? [])
        {
            var key = $"{deployment.Metadata.NamespaceProperty}/{deployment.Metadata.Name}/{condition.Type}";
            var text = $"{condition.Status} {condition.Reason} {condition.Message}";
            if (_told.GetValueOrDefault(key) == text)
            {
                continue;
            }

            _told[key] = text;
            var message = string.IsNullOrEmpty(condition.Message) ? "" : $": {condition.Message}";
            console.MarkupLineInterpolated(
                $"[grey]{deployment.Metadata.Name}[/] {condition.Type}={condition.Status} {condition.Reason}{message}");
        }
    }
}
