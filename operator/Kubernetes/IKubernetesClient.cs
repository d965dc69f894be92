using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>The four patch dialects of the API.</summary>
internal enum PatchType
{
    Merge,
    StrategicMerge,
    Json,
}

/// <summary>Narrows a list or watch.</summary>
/// <param name="LabelSelector">On the server.</param>
/// <param name="FieldSelector">On the server.</param>
/// <param name="CachedFieldsOnly">Of each object read only what somebody reads (<see cref="CachedFields"/>): a cache of a large cluster is
/// a tenth of the size then and costs a fraction of the time, but nothing in it may be written back whole.</param>
internal sealed record Selection(string? LabelSelector = null, string? FieldSelector = null, bool CachedFieldsOnly = false);

/// <summary>The verbs the operator needs of an API server, for any of the library's types and for our own. The library has a method for
/// each verb of each kind and none for all kinds. Implemented by <see cref="KubernetesClient"/> over HTTP; tests have an API server in
/// memory instead.</summary>
/// <remarks><c>namespace</c> null means all namespaces for list and watch, and is required to be null for cluster-scoped kinds.
/// What a write answers is read as far as a cache would keep it (<see cref="CachedFields"/>). Every method throws
/// <see cref="KubernetesException"/> for an error status. Calls answered 429 or 503 with Retry-After are retried inside, within
/// bounds.</remarks>
internal interface IKubernetesClient
{
    Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <summary>Lists in pages; restarts when a continue token expires.</summary>
    Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <summary>Watches from a version, with bookmarks, until the server ends the stream. An ERROR event (410 Gone) is thrown as
    /// <see cref="KubernetesException"/>.</summary>
    /// <param name="opened">Told when the server has agreed; it may have nothing to say for a long time then.</param>
    IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? @namespace, string resourceVersion, Selection? selection, Action? opened, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <summary>Full replace; conflicts (409) when the manifest's resourceVersion is not the current one.</summary>
    Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <summary>Server-side apply as <paramref name="fieldManager"/>.</summary>
    Task<T> ApplyAsync<T>(JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <param name="subresource">null, <c>status</c>, <c>scale</c>, ….</param>
    Task<T> PatchAsync<T>(
        string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <param name="preconditionUid">Delete only this incarnation (409 otherwise); null deletes whatever has the name.</param>
    /// <param name="gracePeriodSeconds">null leaves the object's own.</param>
    Task DeleteAsync<T>(
        string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>;

    /// <summary>The last lines of a pod's container.</summary>
    Task<string> ReadLogAsync(
        string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken);
}

/// <summary>An error status from the API server (or the refusal to reach it).</summary>
/// <param name="statusCode">HTTP status; 0 when there was no answer.</param>
/// <param name="reason">The Status object's reason: NotFound, Conflict, AlreadyExists, Expired, Invalid, ….</param>
internal sealed class KubernetesException(int statusCode, string reason, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public int StatusCode { get; } = statusCode;

    public string Reason { get; } = reason;

    public bool IsNotFound => StatusCode == 404;

    public bool IsConflict => StatusCode == 409 && Reason == "Conflict";

    public bool IsAlreadyExists => StatusCode == 409 && Reason == "AlreadyExists";

    public bool IsGone => StatusCode == 410;

    /// <summary>Nothing more can be created in this namespace: it is being deleted.</summary>
    public bool IsNamespaceTerminating =>
        StatusCode == 403 && Message.Contains("because it is being terminated", StringComparison.Ordinal);

    /// <summary>The server has understood the request and will not have it: a policy, a quota, a role, a schema, or a webhook that cannot
    /// be asked. Neither a conflict nor an overloaded server nor our own credentials.</summary>
    public bool IsRefusal => StatusCode switch
    {
        401 or 404 or 408 or 409 or 410 or 429 => false,
        >= 400 and < 500 => true,
        500 => Message.Contains("failed calling webhook", StringComparison.Ordinal),
        _ => false,
    };

    /// <summary>The version asked for is from a future the server does not have: its etcd was restored from a backup, say.</summary>
    public bool IsTooLargeResourceVersion => StatusCode == 504 && Message.Contains("Too large resource version", StringComparison.Ordinal);
}
