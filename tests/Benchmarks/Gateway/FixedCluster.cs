using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s;
using k8s.Models;

namespace Cluster.Benchmarks.Gateway;

/// <summary>An API server that has one deployment with ready pods at given addresses, and in which nothing ever happens.</summary>
internal sealed class FixedCluster(string model, IReadOnlyList<string> addresses) : IKubernetesClient
{
    private const string Uid = "uid-of-the-deployment";

    /// <summary>The key that its workers know the gateway by.</summary>
    public string KeyFor(byte[] masterKey) => GatewayKey.Derive(masterKey, "default", model, Uid);

    public Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Task.FromResult(new ResourceList<T>([.. Objects().OfType<T>()], "1"));

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? @namespace, string resourceVersion, Selection? selection, Action? opened,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        opened?.Invoke();
        await Task.Delay(Timeout.Infinite, cancellationToken);
        yield break;
    }

    public Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task<T> ApplyAsync<T>(
        JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task<T> PatchAsync<T>(
        string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task DeleteAsync<T>(
        string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> => throw new NotSupportedException();

    public Task<string> ReadLogAsync(
        string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    private IEnumerable<object> Objects()
    {
        yield return new ModelDeployment
        {
            Metadata = new V1ObjectMeta { Name = model, NamespaceProperty = "default", Uid = Uid, ResourceVersion = "1" },
            Spec = new ModelDeploymentSpec { Model = new ModelSpec { Source = "file:///models" }, Replicas = addresses.Count },
        };
        for (var i = 0; i < addresses.Count; i++)
        {
            yield return new V1Pod
            {
                Metadata = new V1ObjectMeta
                {
                    Name = $"{model}-{i}",
                    NamespaceProperty = "default",
                    Uid = $"uid-of-pod-{i}",
                    ResourceVersion = "1",
                    OwnerReferences = [new V1OwnerReference { Uid = Uid, Kind = ApiNames.Kind, Name = model, Controller = true }],
                },
                Spec = new V1PodSpec(),
                Status = new V1PodStatus
                {
                    Phase = "Running",
                    PodIP = addresses[i],
                    Conditions = [new V1PodCondition { Type = "Ready", Status = "True" }],
                },
            };
        }
    }
}
