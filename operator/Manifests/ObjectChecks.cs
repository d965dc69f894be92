using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Manifests;

/// <summary>The checks that every object passes before it is stored: kind, metadata, unknown fields, schema and rules. Worded as Kubernetes
/// words them. Pure; called by <see cref="ManifestKind"/> and by the local API server.</summary>
internal static class ObjectChecks
{
    private const int MaxAnnotationBytes = 256 * 1024;

    private static readonly string[] MetadataFields = [
        "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields"];

    private static readonly string[] OwnerFields = ["apiVersion", "kind", "name", "uid"];

    /// <summary>Whether this is an object of the kind; an absent kind and apiVersion are filled in.</summary>
    /// <param name="checksMetadata">Also whether metadata has the types it must have; not needed where the whole object is read by
    /// type.</param>
    /// <returns>What is wrong; null when nothing is.</returns>
    public static string? KindProblem(JsonNode? body, KindName kind, bool checksMetadata = true)
    {
        if (body is not JsonObject value)
        {
            return $"the body must be a {kind.Kind} object, got {StructuralSchema.KindOf(body)}";
        }

        value.SetDefault("apiVersion", kind.ApiVersion);
        value.SetDefault("kind", kind.Kind);
        return value.Text("kind") == kind.Kind && value.Text("apiVersion") == kind.ApiVersion
            ? checksMetadata ? MetadataProblem(value, kind) : null
            : $"the API version in the data ({value.Text("apiVersion")}, Kind={value.Text("kind")}) does not match the expected API "
                + $"version ({kind.ApiVersion}, Kind={kind.Kind})";
    }

    /// <summary>What strict decoding says of unknown or duplicate fields.</summary>
    /// <param name="complaints">Such as <c>unknown field "spec.a"</c>; at least one.</param>
    public static string StrictDecodingProblem(KindName kind, IReadOnlyList<string> complaints) =>
        DecodingProblem(kind, StrictDecodingError(complaints));

    public static string StrictDecodingError(IReadOnlyList<string> complaints) => $"strict decoding error: {string.Join(", ", complaints)}";

    public static string DecodingProblem(KindName kind, string problem) =>
        $"{kind.Kind} in version \"{kind.Version}\" cannot be handled as a {kind.Kind}: {problem}";

    /// <summary>Removes fields that the schema or ObjectMeta does not know, and nulls, in place.</summary>
    /// <returns>A complaint for each unknown field.</returns>
    public static List<string> Prune(JsonObject value, StructuralSchema? schema)
    {
        List<string> unknown = [];
        if (value["metadata"] is JsonObject metadata)
        {
            NullPruning.Prune(metadata);
            foreach (var name in metadata.Select(field => field.Key).Where(name => !MetadataFields.Contains(name)).ToList())
            {
                metadata.Remove(name);
                unknown.Add($"metadata.{name}");
            }
        }

        if (schema is null)
        {
            NullPruning.Prune(value);
        }
        else
        {
            unknown.AddRange(SchemaPruning.Prune(value, schema));
            NullPruning.Prune(value, schema);
        }

        return [.. unknown.Select(field => $"unknown field \"{field}\"")];
    }

    /// <summary>Fills in defaults, in place, and validates.</summary>
    /// <param name="old">Null on creation.</param>
    /// <param name="schema">Null for kinds that are taken as they come.</param>
    /// <param name="warnings">Receives rules that an unchanged value goes on breaking.</param>
    public static List<FieldError> Validate(
        JsonObject value, JsonObject? old, KindName kind, StructuralSchema? schema, List<string> warnings)
    {
        var errors = ValidateMetadata(kind, value);
        if (schema is not null)
        {
            SchemaDefaults.Apply(value, schema);
            errors.AddRange(SchemaValidator.Validate(value, old, schema, warnings));
        }

        return errors;
    }

    private static List<FieldError> ValidateMetadata(KindName kind, JsonObject value)
    {
        var errors = new List<FieldError>();
        var name = value.Name();

        // RBAC names are path segments: "system:masters" is one.
        if (kind.Group != "rbac.authorization.k8s.io")
        {
            errors.AddRange(
                MetadataSyntax.NameProblems(name).Select(problem => FieldError.Invalid("metadata.name", $"\"{name}\"", problem)));
        }

        var annotations = (value.At("metadata", "annotations") as JsonObject ?? []).Sum(a => a.Key.Length + (a.Value.Text()?.Length ?? 0));
        if (annotations > MaxAnnotationBytes)
        {
            errors.Add(FieldError.TooLong("metadata.annotations", MaxAnnotationBytes));
        }

        foreach (var (key, _) in value.At("metadata", "annotations") as JsonObject ?? [])
        {
            // Unlike a label's, an annotation's key may have capitals in its prefix.
            Refuse("metadata.annotations", key, MetadataSyntax.KeyProblem(key.ToLowerInvariant()));
        }

        foreach (var (key, label) in value.At("metadata", "labels") as JsonObject ?? [])
        {
            Refuse("metadata.labels", key, MetadataSyntax.KeyProblem(key));
            Refuse("metadata.labels", label.Text() ?? "", MetadataSyntax.ValueProblem(label.Text() ?? ""));
        }

        foreach (var owner in value.Items("metadata", "ownerReferences"))
        {
            foreach (var field in OwnerFields.Where(field => owner.Text(field) is not { Length: > 0 }))
            {
                var what = field switch { "apiVersion" => "version ", "uid" => "uid ", _ => "" };
                Refuse($"metadata.ownerReferences.{field}", "", $"{what}must not be empty");
            }
        }

        return errors;

        void Refuse(string field, string text, string? problem)
        {
            if (problem is not null)
            {
                errors.Add(FieldError.Invalid(field, $"\"{text}\"", problem));
            }
        }
    }

    private static string? MetadataProblem(JsonObject value, KindName kind)
    {
        if (value["metadata"] is { } node and not JsonObject)
        {
            return Undecodable(kind, "metadata", node, "ObjectMeta");
        }

        foreach (var map in new[] { "labels", "annotations" })
        {
            if (value.At("metadata", map) is { } labels
                && (labels is not JsonObject members || members.Any(member => member.Value is not null && member.Value.Text() is null)))
            {
                return Undecodable(kind, $"metadata.{map}", labels, "map of string to string");
            }
        }

        foreach (var name in new[] { "name", "namespace", "generateName", "uid", "resourceVersion" })
        {
            if (value.At("metadata", name) is { } field && field.Text() is null)
            {
                return Undecodable(kind, $"metadata.{name}", field, "string");
            }
        }

        if (value.At("metadata", "finalizers") is { } finalizers
            && (finalizers is not JsonArray items || items.Any(item => item.Text() is null)))
        {
            return Undecodable(kind, "metadata.finalizers", finalizers, "list of string");
        }

        if (value.At("metadata", "ownerReferences") is { } owners
            && (owners is not JsonArray references
                || references.Any(owner => owner is not JsonObject members
                    || OwnerFields.Any(field => members[field] is { } member && member.Text() is null))))
        {
            return Undecodable(kind, "metadata.ownerReferences", owners, "list of OwnerReference");
        }

        return null;
    }

    private static string Undecodable(KindName kind, string field, JsonNode value, string wanted) =>
        DecodingProblem(kind, $"json: cannot unmarshal {StructuralSchema.KindOf(value)} into Go struct field {field} of type {wanted}");
}
