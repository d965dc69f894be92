using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Plugin;

/// <summary>Reads what the plugin's commands need, and says in full what is in the way: which name there is, which rule of a role is
/// missing, or that the cluster knows no ModelDeployments. Called by <c>Commands/Mdep</c>.</summary>
internal sealed class ClusterAccess(KubernetesClient client)
{
    public PodStreams Pods => client.Pods;

    /// <summary>With defaults.</summary>
    /// <exception cref="CommandFailure">There is none of this name, or it cannot be read.</exception>
    public async Task<ModelDeployment> DeploymentAsync(string @namespace, string name, CancellationToken cancellationToken)
    {
        try
        {
            return ModelDeploymentDefaults.Apply(
                await AskAsync(
                    () => client.GetAsync<ModelDeployment>(@namespace, name, cancellationToken),
                    AccessRule.Of<ModelDeployment>(@namespace)));
        }
        catch (KubernetesException error) when (error.IsNotFound)
        {
            var others = await DeploymentsAsync(@namespace, null, cancellationToken);
            throw new CommandFailure(
                $"there is no ModelDeployment '{name}' in namespace '{@namespace}'; "
                + (others.Count == 0
                    ? "there is none at all (kubectl get mdep -A lists those of other namespaces)"
                    : $"there {(others.Count == 1 ? "is" : "are")} {string.Join(", ", others.Select(d => d.Metadata.Name))}"),
                error);
        }
    }

    /// <summary>With defaults, by namespace and name.</summary>
    /// <param name="namespace">Null for all.</param>
    public async Task<IReadOnlyList<ModelDeployment>> DeploymentsAsync(
        string? @namespace, string? labels, CancellationToken cancellationToken)
    {
        try
        {
            var list = await AskAsync(
                () => client.ListAsync<ModelDeployment>(@namespace, new Selection(labels), cancellationToken),
                AccessRule.Of<ModelDeployment>(@namespace));
            return [
                .. list.Items.Select(ModelDeploymentDefaults.Apply).OrderBy(d => d.Metadata.NamespaceProperty, StringComparer.Ordinal)
                    .ThenBy(d => d.Metadata.Name, StringComparer.Ordinal)];
        }
        catch (KubernetesException error) when (error.IsNotFound)
        {
            throw new CommandFailure(
                $"the cluster knows no {ApiNames.Plural}.{ApiNames.Group}: the operator is not installed there. "
                + "helm install cluster deploy/helm/cluster --namespace cluster-system --create-namespace installs it; "
                + "kubectl config current-context says which cluster was asked",
                error);
        }
    }

    /// <summary>The pods that serve a deployment, whole, by name.</summary>
    public async Task<IReadOnlyList<V1Pod>> WorkersAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        var @namespace = deployment.Metadata.NamespaceProperty;
        var list = await AskAsync(
            () => client.ListAsync<V1Pod>(
                @namespace, new Selection($"{ApiNames.DeploymentLabel}={deployment.Metadata.Name}"), cancellationToken),
            AccessRule.Of<V1Pod>(@namespace));
        return [.. list.Items.OrderBy(pod => pod.Metadata.Name, StringComparer.Ordinal)];
    }

    /// <summary>The pods of all deployments of a namespace, or of all, whole.</summary>
    public async Task<IReadOnlyList<V1Pod>> AllWorkersAsync(string? @namespace, CancellationToken cancellationToken) =>
        (await AskAsync(
            () => client.ListAsync<V1Pod>(@namespace, new Selection(ApiNames.DeploymentLabel), cancellationToken),
            AccessRule.Of<V1Pod>(@namespace))).Items;

    /// <summary>Deployment, nodes and all pods, as far as the operator's caches keep them.</summary>
    public async Task<LiveCluster> ViewAsync(string @namespace, string name, CancellationToken cancellationToken)
    {
        var deployment = await DeploymentAsync(@namespace, name, cancellationToken);
        var cached = new Selection(CachedFieldsOnly: true);
        var nodes = await AskAsync(() => client.ListAsync<V1Node>(null, cached, cancellationToken), AccessRule.Of<V1Node>(null));
        var pods = await AskAsync(() => client.ListAsync<V1Pod>(null, cached, cancellationToken), AccessRule.Of<V1Pod>(null));
        return new LiveCluster(deployment, nodes.Items, pods.Items);
    }

    /// <exception cref="CommandFailure">403: the message names the missing rule.</exception>
    /// <exception cref="KubernetesException">Any other error of the API server.</exception>
    public static async Task<T> AskAsync<T>(Func<Task<T>> call, AccessRule rule)
    {
        try
        {
            return await call();
        }
        catch (KubernetesException error) when (error.StatusCode == 403)
        {
            throw rule.Missing(error);
        }
    }
}

/// <summary>What a role must allow.</summary>
/// <param name="Namespace">Null for the whole cluster.</param>
internal sealed record AccessRule(string Group, string Resource, IReadOnlyList<string> Verbs, string? Namespace)
{
    public static AccessRule PortForward(string @namespace) => new("", "pods/portforward", ["get", "create"], @namespace);

    public static AccessRule Log(string @namespace) => new("", "pods/log", ["get"], @namespace);

    public static AccessRule Of<T>(string? @namespace)
        where T : k8s.IKubernetesObject<V1ObjectMeta> =>
        new(ResourceDefinition.Of<T>().Group, ResourceDefinition.Of<T>().Plural, ["get", "list"], @namespace);

    public CommandFailure Missing(KubernetesException error) => new(
        $"{error.Message}\nwhat is missing is this rule in "
        + $"{(Namespace is null ? "a ClusterRole of yours" : $"a Role of yours in namespace {Namespace}")}: "
        + $"{{apiGroups: [\"{Group}\"], resources: [\"{Resource}\"], verbs: [{string.Join(", ", Verbs.Select(verb => $"\"{verb}\""))}]}}",
        error);
}
