using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Controller;

/// <summary>Counts every request to the API server by verb and resource, subresources as <c>pods/log</c>. Laid around the
/// client by <c>OperatorHost</c>; retries inside the client are not counted, pages of a list are one.</summary>
internal sealed class MeteredKubernetesClient(IKubernetesClient inner, MetricsRegistry metrics) : IKubernetesClient
{
    private readonly Counter requests = metrics.Counter("kubernetes_client_requests_total", "Requests to the API server.", "verb", "resource");

    public Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("get");
        return inner.GetAsync<T>(@namespace, name, cancellationToken);
    }

    public Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("list");
        return inner.ListAsync<T>(@namespace, selection, cancellationToken);
    }

    public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(string? @namespace, string resourceVersion, Selection? selection, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("watch");
        return inner.WatchAsync<T>(@namespace, resourceVersion, selection, cancellationToken);
    }

    public Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("create");
        return inner.CreateAsync<T>(manifest, cancellationToken);
    }

    public Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("update", subresource);
        return inner.ReplaceAsync<T>(manifest, subresource, cancellationToken);
    }

    /// <summary>Server-side apply is a PATCH.</summary>
    public Task<T> ApplyAsync<T>(JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("patch", subresource);
        return inner.ApplyAsync<T>(manifest, fieldManager, force, subresource, cancellationToken);
    }

    public Task<T> PatchAsync<T>(string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("patch", subresource);
        return inner.PatchAsync<T>(@namespace, name, type, patch, subresource, cancellationToken);
    }

    public Task DeleteAsync<T>(string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : KubernetesObject, IKubernetesKind
    {
        Count<T>("delete");
        return inner.DeleteAsync<T>(@namespace, name, preconditionUid, gracePeriodSeconds, cancellationToken);
    }

    public Task<string> ReadLogAsync(string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken)
    {
        Count<Pod>("get", "log");
        return inner.ReadLogAsync(@namespace, pod, container, tailLines, previous, cancellationToken);
    }

    private void Count<T>(string verb, string? subresource = null)
        where T : IKubernetesKind =>
        requests.With(verb, subresource is null ? T.Definition.Plural : $"{T.Definition.Plural}/{subresource}").Increment();
}
