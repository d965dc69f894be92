using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>One version of an object. Immutable: <see cref="Root"/> is shared by every reader and must be copied before it is
/// changed.</summary>
internal sealed class StoredObject
{
    private StoredObject(JsonObject root, byte[] json, long version)
    {
        Root = root;
        Json = json;
        Version = version;
        Key = new ObjectKey(root.Namespace(), root.Name());
        Uid = root.Uid();
        HasOwners = root.At("metadata", "ownerReferences") is JsonArray { Count: > 0 };
        IsDeleting = root.IsDeleting();
    }

    public ObjectKey Key { get; }

    public JsonObject Root { get; }

    /// <summary>UTF-8 text of <see cref="Root"/>, so lists and watches do not serialise again.</summary>
    public byte[] Json { get; }

    public long Version { get; }

    // Kept because garbage collection asks every object for these after every write.
    public string Uid { get; }

    public bool HasOwners { get; }

    public bool IsDeleting { get; }

    public static StoredObject Freeze(JsonObject value, long version)
    {
        value.Metadata()["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture);
        var json = JsonText.Serialize(value);
        return new((JsonObject)JsonReading.Parse(json)!, json, version);
    }
}
