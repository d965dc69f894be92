using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s;
using k8s.Models;
using KubernetesException = Cluster.Operator.Kubernetes.KubernetesException;

namespace Cluster.Operator.Controller;

internal enum EventType
{
    Normal,
    Warning,
}

/// <summary>Writes core/v1 Events, which <c>kubectl describe</c> shows. Callers record transitions, not states.</summary>
/// <remarks>The same event again within an hour counts up the first one. More than ten different messages with one reason
/// about one object within that hour are folded into a single "combined" event, so that a flapping object cannot fill etcd.</remarks>
internal sealed class EventRecorder(IKubernetesClient client, string component, TimeProvider time, Random random, ILogger logger)
{
    private const int DistinctMessages = 10;
    private const int RememberedObjects = 4096;
    private const int MessageLimit = 1024;
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Object, EventType Type, string Reason), Group> _groups = [];

    /// <summary>Never throws for an API error: an event that cannot be written is logged and lost.</summary>
    public async Task RecordAsync<T>(T regarding, EventType type, string reason, string message, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        message = message.Length <= MessageLimit ? message : message[..(MessageLimit - 1)] + "…";
        var now = time.GetUtcNow();
        var entry = Find(regarding, type, reason, message);
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            entry.Count++;
            entry.Last = time.GetTimestamp();
            if (entry.EventName is not null && await CountUpAsync(regarding, entry, now, cancellationToken))
            {
                return;
            }

            entry.Count = 1;
            var made = await client.CreateAsync<Corev1Event>(Manifest(regarding, type, reason, entry.Message, now), cancellationToken);
            entry.EventName = made.Metadata.Name;
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException)
        {
            logger.LogWarning(
                "Event {Reason} about {Kind} {Key} could not be written: {Error}", reason, ResourceDefinition.Of<T>().Kind,
                NamespacedName.Of(regarding), e.Message);
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private async Task<bool> CountUpAsync<T>(T regarding, Entry entry, DateTimeOffset now, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        JsonObject patch = new() { ["count"] = entry.Count, ["lastTimestamp"] = Timestamp(now) };
        try
        {
            await client.PatchAsync<Corev1Event>(
                EventNamespace(regarding), entry.EventName!, PatchType.Merge, patch, null, cancellationToken);
            return true;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false; // Events expire on the server, usually after an hour.
        }
    }

    private Entry Find<T>(T regarding, EventType type, string reason, string message)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var now = time.GetTimestamp();
        (string, EventType, string) key = (
            $"{ResourceDefinition.Of<T>().Kind}/{NamespacedName.Of(regarding)}/{regarding.Metadata.Uid}", type, reason);
        lock (_gate)
        {
            if (!_groups.TryGetValue(key, out var group) || time.GetElapsedTime(group.Last, now) > Window)
            {
                if (_groups.Count >= RememberedObjects)
                {
                    _groups.Remove(_groups.MinBy(p => p.Value.Last).Key);
                }

                _groups[key] = group = new Group();
            }

            group.Last = now;
            var words = SameWords.KeyOf(message);
            if (!group.Entries.ContainsKey(words) && group.Entries.Count >= DistinctMessages)
            {
                return group.Combined ??= new Entry($"(combined from similar events): {message}") { Last = now };
            }

            if (!group.Entries.TryGetValue(words, out var entry) || time.GetElapsedTime(entry.Last, now) > Window)
            {
                group.Entries[words] = entry = new Entry(message) { Last = now };
            }

            return entry;
        }
    }

    private JsonObject Manifest<T>(T regarding, EventType type, string reason, string message, DateTimeOffset now)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var kind = ResourceDefinition.Of<T>();
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{regarding.Metadata.Name}.{random.NextInt64():x16}",
                ["namespace"] = EventNamespace(regarding),
            },
            ["involvedObject"] = new JsonObject
            {
                ["apiVersion"] = kind.ApiVersion,
                ["kind"] = kind.Kind,
                ["namespace"] = regarding.Metadata.NamespaceProperty,
                ["name"] = regarding.Metadata.Name,
                ["uid"] = regarding.Metadata.Uid,
                ["resourceVersion"] = regarding.Metadata.ResourceVersion,
            },
            ["type"] = type.ToString(),
            ["reason"] = reason,
            ["message"] = message,
            ["source"] = new JsonObject { ["component"] = component },
            ["reportingComponent"] = component,
            ["reportingInstance"] = "",
            ["firstTimestamp"] = Timestamp(now),
            ["lastTimestamp"] = Timestamp(now),
            ["count"] = 1,
        };
    }

    private static string EventNamespace(IKubernetesObject<V1ObjectMeta> regarding) => regarding.Metadata.NamespaceProperty ?? "default";

    private static string Timestamp(DateTimeOffset at) =>
        at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    private sealed class Group
    {
        /// <summary>By <see cref="SameWords"/>.</summary>
        public Dictionary<string, Entry> Entries { get; } = new(StringComparer.Ordinal);

        public Entry? Combined { get; set; }

        public long Last { get; set; }
    }

    /// <summary>One event on the server. The gate keeps two recordings of it from creating it twice.</summary>
    private sealed class Entry(string message)
    {
        public string Message { get; } = message;

        public SemaphoreSlim Gate { get; } = new(1);

        public string? EventName { get; set; }

        public int Count { get; set; }

        public long Last { get; set; }
    }
}
