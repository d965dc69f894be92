using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>Loses the first creations of pods on their way, without saying whether they arrived: after that the operator has to look.</summary>
internal sealed class LossyClient(IKubernetesClient inner, int losses) : IKubernetesClient
{
    private int left = losses;

    public Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind =>
        typeof(T) == typeof(Pod) && Interlocked.Decrement(ref left) >= 0
            ? throw new KubernetesException(0, "Unreachable", "the connection was lost")
            : inner.CreateAsync<T>(manifest, cancellationToken);

    public Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.GetAsync<T>(@namespace, name, cancellationToken);

    public Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.ListAsync<T>(@namespace, selection, cancellationToken);

    public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(string? @namespace, string resourceVersion, Selection? selection, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.WatchAsync<T>(@namespace, resourceVersion, selection, cancellationToken);

    public Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.ReplaceAsync<T>(manifest, subresource, cancellationToken);

    public Task<T> ApplyAsync<T>(JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.ApplyAsync<T>(manifest, fieldManager, force, subresource, cancellationToken);

    public Task<T> PatchAsync<T>(string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.PatchAsync<T>(@namespace, name, type, patch, subresource, cancellationToken);

    public Task DeleteAsync<T>(string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind => inner.DeleteAsync<T>(@namespace, name, preconditionUid, gracePeriodSeconds, cancellationToken);

    public Task<string> ReadLogAsync(string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken) =>
        inner.ReadLogAsync(@namespace, pod, container, tailLines, previous, cancellationToken);
}
