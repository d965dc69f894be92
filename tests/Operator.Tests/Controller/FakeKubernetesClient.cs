using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;
using WatchEventType = k8s.WatchEventType;

namespace Cluster.Operator.Tests.Controller;

/// <summary>An API server in memory: versions, watches from a version, conflicts, finalizers and graceful pod deletion. Tests
/// inject failures through <see cref="BeforeCall"/>, cut watches and compact the history.</summary>
internal sealed class FakeKubernetesClient : IKubernetesClient
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, JsonObject> _objects = new(StringComparer.Ordinal);
    private readonly List<(long Version, string Kind, WatchEventType Type, JsonObject Object)> _history = [];
    private readonly List<(string Kind, Channel<(WatchEventType, JsonObject)> Events)> _watchers = [];
    private long _version;
    private long _oldestVersion;
    private int _uids;

    /// <summary>Called with verb, kind and name before each call; throw from it to fail the call.</summary>
    public Action<string, string, string>? BeforeCall { get; set; }

    /// <summary>Called after a write took effect; throw from it to lose the answer.</summary>
    public Action<string, string, string>? AfterWrite { get; set; }

    /// <summary>While true, changes reach no watcher: the caches go stale.</summary>
    public bool HoldEvents { get; set; }

    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>Number of the last change: grows with every write.</summary>
    public long Version
    {
        get
        {
            lock (_gate)
            {
                return _version;
            }
        }
    }

    public int Watchers
    {
        get
        {
            lock (_gate)
            {
                return _watchers.Count;
            }
        }
    }

    public JsonObject? Find<T>(string? @namespace, string name)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            return _objects.GetValueOrDefault(Key(ResourceDefinition.Of<T>().Kind, @namespace, name))?.DeepClone().AsObject();
        }
    }

    public IReadOnlyList<T> All<T>()
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            return [
                .. _objects.Where(p => p.Key.StartsWith(ResourceDefinition.Of<T>().Kind + "|", StringComparison.Ordinal))
                    .Select(p => KubernetesJson.Read<T>(p.Value))];
        }
    }

    /// <summary>Changes an object as another client would.</summary>
    public void Update<T>(string? @namespace, string name, Action<JsonObject> change)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            var value = _objects[Key(ResourceDefinition.Of<T>().Kind, @namespace, name)].DeepClone().AsObject();
            change(value);
            Store(ResourceDefinition.Of<T>().Kind, value, WatchEventType.Modified);
        }
    }

    /// <summary>The object is gone at once, whatever holds it: what the kubelet does when a pod has ended.</summary>
    public void Remove<T>(string? @namespace, string name)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            Drop(ResourceDefinition.Of<T>().Kind, _objects[Key(ResourceDefinition.Of<T>().Kind, @namespace, name)]);
        }
    }

    /// <summary>Ends all open watches as a server does after its timeout, or with an error.</summary>
    public void CutWatches(Exception? error = null)
    {
        lock (_gate)
        {
            _watchers.ForEach(w => w.Events.Writer.TryComplete(error));
            _watchers.Clear();
        }
    }

    /// <summary>Forgets the history: watching from a version before now gets 410.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            _history.Clear();
            _oldestVersion = _version;
        }
    }

    /// <summary>Up to <paramref name="limit"/> changes of a kind after a version, for tests that play the informer themselves.</summary>
    public IReadOnlyList<(long Version, WatchEvent<T> Event)> Changes<T>(long after, int limit)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            return [.. _history
                .Where(h => h.Version > after && h.Kind == ResourceDefinition.Of<T>().Kind)
                .Take(limit)
                .Select(h => (h.Version, new WatchEvent<T>(h.Type, KubernetesJson.Read<T>(h.Object))))];
        }
    }

    public void SendBookmark<T>()
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            _version++;
            JsonObject bookmark = new()
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = _version.ToString(CultureInfo.InvariantCulture) }
            };
            _watchers.Where(w => w.Kind == ResourceDefinition.Of<T>().Kind).ToList()
                .ForEach(w => w.Events.Writer.TryWrite((WatchEventType.Bookmark, bookmark)));
        }
    }

    public Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        Before("get", ResourceDefinition.Of<T>().Kind, name);
        return Task.FromResult(KubernetesJson.Read<T>(Find<T>(@namespace, name) ?? throw NotFound(name)));
    }

    public Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        Before("list", ResourceDefinition.Of<T>().Kind, "");
        lock (_gate)
        {
            return Task.FromResult(
                new ResourceList<T>(
                    [.. All<T>().Where(o => @namespace is null || o.Metadata.NamespaceProperty == @namespace)],
                    _version.ToString(CultureInfo.InvariantCulture)));
        }
    }

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? @namespace, string resourceVersion, Selection? selection, Action? opened,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        Before("watch", ResourceDefinition.Of<T>().Kind, resourceVersion);
        var events = Channel.CreateUnbounded<(WatchEventType, JsonObject)>();
        lock (_gate)
        {
            var from = long.Parse(resourceVersion, CultureInfo.InvariantCulture);
            if (from < _oldestVersion)
            {
                throw new KubernetesException(410, "Expired", $"too old resource version: {from} ({_oldestVersion})");
            }

            _history.Where(h => h.Version > from && h.Kind == ResourceDefinition.Of<T>().Kind).ToList()
                .ForEach(h => events.Writer.TryWrite((h.Type, h.Object)));
            _watchers.Add((ResourceDefinition.Of<T>().Kind, events));
        }

        opened?.Invoke();
        await foreach ((var type, var value) in events.Reader.ReadAllAsync(cancellationToken))
        {
            yield return new WatchEvent<T>(type, KubernetesJson.Read<T>(value));
        }
    }

    public Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        var value = manifest.DeepClone().AsObject();
        var metadata = value["metadata"]!.AsObject();
        var name = metadata["name"]!.ToString();
        Before("create", ResourceDefinition.Of<T>().Kind, name);
        lock (_gate)
        {
            if (_objects.ContainsKey(Key(ResourceDefinition.Of<T>().Kind, metadata["namespace"]?.ToString(), name)))
            {
                throw new KubernetesException(409, "AlreadyExists", $"'{name}' already exists");
            }

            metadata["uid"] ??= $"uid-{++_uids}";
            metadata["generation"] = 1L;
            metadata["creationTimestamp"] ??= new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(_version)
                .ToString("O", CultureInfo.InvariantCulture);
            Store(ResourceDefinition.Of<T>().Kind, value, WatchEventType.Added);
        }

        AfterWrite?.Invoke("create", ResourceDefinition.Of<T>().Kind, name);
        return Task.FromResult(KubernetesJson.Read<T>(value));
    }

    public Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        var name = manifest["metadata"]!["name"]!.ToString();
        Before("replace", ResourceDefinition.Of<T>().Kind, name);
        lock (_gate)
        {
            var current = Current<T>(manifest["metadata"]!["namespace"]?.ToString(), name);
            ThrowIfStale(current, manifest);
            var value = manifest.DeepClone().AsObject();
            value["metadata"]!["uid"] = current["metadata"]!["uid"]!.DeepClone();
            Store(ResourceDefinition.Of<T>().Kind, value, WatchEventType.Modified);
            return Task.FromResult(KubernetesJson.Read<T>(value));
        }
    }

    public Task<T> ApplyAsync<T>(
        JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        var @namespace = manifest["metadata"]!["namespace"]?.ToString();
        var name = manifest["metadata"]!["name"]!.ToString();
        return Find<T>(@namespace, name) is null
            ? CreateAsync<T>(manifest, cancellationToken)
            : PatchAsync<T>(@namespace, name, PatchType.Merge, manifest, subresource, cancellationToken);
    }

    public Task<T> PatchAsync<T>(
        string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        Before(subresource is null ? "patch" : $"patch/{subresource}", ResourceDefinition.Of<T>().Kind, name);
        JsonObject value;
        lock (_gate)
        {
            var current = Current<T>(@namespace, name);
            ThrowIfStale(current, patch.AsObject());
            if (patch["metadata"]?["uid"]?.ToString() is { } uid && uid != current["metadata"]!["uid"]?.ToString())
            {
                throw new KubernetesException(409, "Conflict", $"Precondition failed: UID in precondition: {uid}");
            }

            if (type == PatchType.StrategicMerge)
            {
                value = TemplateMerge.Apply(current, patch.AsObject());
            }
            else
            {
                value = current.DeepClone().AsObject();
                Merge(value, patch.AsObject());
            }

            if (patch["spec"] is not null)
            {
                value["metadata"]!["generation"] = (current["metadata"]!["generation"]?.GetValue<long>() ?? 0) + 1;
            }

            Store(ResourceDefinition.Of<T>().Kind, value, WatchEventType.Modified);
        }

        AfterWrite?.Invoke("patch", ResourceDefinition.Of<T>().Kind, name);
        return Task.FromResult(KubernetesJson.Read<T>(value));
    }

    public Task DeleteAsync<T>(
        string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta>
    {
        Before("delete", ResourceDefinition.Of<T>().Kind, name);
        lock (_gate)
        {
            var current = Current<T>(@namespace, name);
            if (preconditionUid is not null && current["metadata"]!["uid"]!.ToString() != preconditionUid)
            {
                throw new KubernetesException(409, "Conflict", $"'{name}' has another uid");
            }

            var graceful = ResourceDefinition.Of<T>().Kind == "Pod" && gracePeriodSeconds != 0;
            if (!graceful && current["metadata"]!["finalizers"] is not JsonArray { Count: > 0 })
            {
                Drop(ResourceDefinition.Of<T>().Kind, current);
            }
            else if (current["metadata"]!["deletionTimestamp"] is null)
            {
                var value = current.DeepClone().AsObject();
                value["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z";
                Store(ResourceDefinition.Of<T>().Kind, value, WatchEventType.Modified);
            }
        }

        AfterWrite?.Invoke("delete", ResourceDefinition.Of<T>().Kind, name);
        return Task.CompletedTask;
    }

    public Task<string> ReadLogAsync(
        string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken)
    {
        Before("log", "Pod", pod);
        return Task.FromResult($"last line of {pod}");
    }

    private static string Key(string kind, string? @namespace, string name) => $"{kind}|{@namespace}|{name}";

    private static KubernetesException NotFound(string name) => new(404, "NotFound", $"'{name}' not found");

    private void Before(string verb, string kind, string name)
    {
        Calls.Enqueue($"{verb} {kind} {name}");
        BeforeCall?.Invoke(verb, kind, name);
    }

    private JsonObject Current<T>(string? @namespace, string name)
        where T : class, k8s.IKubernetesObject<V1ObjectMeta> =>
        _objects.GetValueOrDefault(Key(ResourceDefinition.Of<T>().Kind, @namespace, name)) ?? throw NotFound(name);

    private static void ThrowIfStale(JsonObject current, JsonObject written)
    {
        if (written["metadata"]?["resourceVersion"]?.ToString() is { } expected
            && expected != current["metadata"]!["resourceVersion"]!.ToString())
        {
            throw new KubernetesException(409, "Conflict", $"'{current["metadata"]!["name"]}' was changed meanwhile");
        }
    }

    private void Store(string kind, JsonObject value, WatchEventType type)
    {
        var metadata = value["metadata"]!.AsObject();
        metadata["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
        if (metadata["deletionTimestamp"] is not null && kind != "Pod" && metadata["finalizers"] is not JsonArray { Count: > 0 })
        {
            Drop(kind, value);
            return;
        }

        _objects[Key(kind, metadata["namespace"]?.ToString(), metadata["name"]!.ToString())] = value;
        Publish(kind, type, value);
    }

    private void Drop(string kind, JsonObject value)
    {
        var last = value.DeepClone().AsObject();
        last["metadata"]!["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
        _objects.Remove(Key(kind, last["metadata"]!["namespace"]?.ToString(), last["metadata"]!["name"]!.ToString()));
        Publish(kind, WatchEventType.Deleted, last);
    }

    private void Publish(string kind, WatchEventType type, JsonObject value)
    {
        var snapshot = value.DeepClone().AsObject();
        _history.Add((_version, kind, type, snapshot));
        if (!HoldEvents)
        {
            _watchers.Where(w => w.Kind == kind).ToList().ForEach(w => w.Events.Writer.TryWrite((type, snapshot)));
        }
    }

    private static void Merge(JsonObject target, JsonObject patch)
    {
        foreach ((var field, var value) in patch)
        {
            if (value is null)
            {
                target.Remove(field);
            }
            else if (value is JsonObject child && target[field] is JsonObject existing)
            {
                Merge(existing, child);
            }
            else
            {
                target[field] = value.DeepClone();
            }
        }
    }
}
