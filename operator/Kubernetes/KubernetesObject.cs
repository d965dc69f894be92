using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Operator.Kubernetes;

/// <summary>Where a kind lives in the API: <c>/api/v1/…</c> for the core group (empty <paramref name="Group"/>), <c>/apis/{Group}/{Version}/…</c> otherwise.</summary>
internal sealed record ResourceDefinition(string Group, string Version, string Kind, string Plural, bool Namespaced)
{
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";
}

/// <summary>A kind the client can read and write.</summary>
internal interface IKubernetesKind
{
    static abstract ResourceDefinition Definition { get; }
}

/// <summary>Any API object. Fields without a property are kept in <see cref="Extra"/>, so that a cached object is whole and writing it back loses nothing.</summary>
internal abstract class KubernetesObject
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public ObjectMeta Metadata { get; set; } = new();

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>Standard object metadata, the fields the operator reads.</summary>
internal sealed class ObjectMeta
{
    public string Name { get; set; } = "";

    public string? GenerateName { get; set; }

    public string? Namespace { get; set; }

    public string? Uid { get; set; }

    public string? ResourceVersion { get; set; }

    public long? Generation { get; set; }

    public DateTimeOffset? CreationTimestamp { get; set; }

    public DateTimeOffset? DeletionTimestamp { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public List<string>? Finalizers { get; set; }

    public List<OwnerReference>? OwnerReferences { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class OwnerReference
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public string Name { get; set; } = "";

    public string Uid { get; set; } = "";

    public bool? Controller { get; set; }

    public bool? BlockOwnerDeletion { get; set; }
}

/// <summary>A list answer: the items and the version to start a watch from.</summary>
internal sealed record ResourceList<T>(IReadOnlyList<T> Items, string ResourceVersion);

internal enum WatchEventType
{
    Added,
    Modified,
    Deleted,
    Bookmark,
}

internal sealed record WatchEvent<T>(WatchEventType Type, T Object);
