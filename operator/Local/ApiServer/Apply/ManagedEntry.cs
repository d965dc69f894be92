using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Apply;

/// <summary>One entry of metadata.managedFields: what one manager set, by which operation, in which version, through which
/// subresource.</summary>
internal sealed record ManagedEntry(string Manager, string Operation, string ApiVersion, string Subresource, string? Time, FieldSet Fields)
{
    public const string ApplyOperation = "Apply";
    public const string UpdateOperation = "Update";

    /// <summary>A real server cuts manager names from a user agent to this length.</summary>
    public const int MaxManagerLength = 128;

    public static ManagedEntry Parse(JsonNode? node) => new(
        node.Text("manager") ?? "",
        node.Text("operation") ?? UpdateOperation,
        node.Text("apiVersion") ?? "",
        node.Text("subresource") ?? "",
        node.Text("time"),
        FieldSet.Parse(node.At("fieldsV1")));

    /// <summary>Who applies is the same one in every version of the kind.</summary>
    public bool SameManager(ManagedEntry other) =>
        Manager == other.Manager && Operation == other.Operation && Subresource == other.Subresource
        && (Operation == ApplyOperation || ApiVersion == other.ApiVersion);

    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["manager"] = Manager,
            ["operation"] = Operation,
            ["apiVersion"] = ApiVersion,
            ["time"] = Time,
            ["fieldsType"] = "FieldsV1",
            ["fieldsV1"] = Fields.ToFieldsV1(),
        };
        if (Subresource.Length > 0)
        {
            json["subresource"] = Subresource;
        }
        return json;
    }

    /// <summary>How a conflict names this manager. The identity of one that applies has no version, and that of neither has a time
    /// (managedfields, <c>BuildManagerIdentifier</c>).</summary>
    public string Describe()
    {
        var text = Subresource.Length > 0 ? $"\"{Manager}\" with subresource \"{Subresource}\"" : $"\"{Manager}\"";
        return Operation == UpdateOperation ? $"{text} using {ApiVersion}" : text;
    }
}
