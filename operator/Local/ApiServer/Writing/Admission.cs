using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The checks every written object passes: identity, metadata types, unknown fields, schema and kind rules.</summary>
internal static partial class Admission
{
    private const int MaxNameLength = 253;
    private const int MaxAnnotationBytes = 256 * 1024;
    private const string NameRule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    /// <summary>The body must be an object of the kind the path names.</summary>
    public static JsonObject RequireKind(JsonNode? body, ResourceType type)
    {
        if (body is not JsonObject value)
        {
            throw ApiErrors.BadRequest($"the body must be a {type.Kind} object, got {StructuralSchema.KindOf(body)}");
        }
        value.SetDefault("apiVersion", type.ApiVersion);
        value.SetDefault("kind", type.Kind);
        if (value.Text("kind") != type.Kind || value.Text("apiVersion") != type.ApiVersion)
        {
            throw ApiErrors.BadRequest($"the API version in the data ({value.Text("apiVersion")}, Kind={value.Text("kind")}) does not match the expected API version ({type.ApiVersion}, Kind={type.Kind})");
        }
        RequireMetadataTypes(value, type);
        return value;
    }

    /// <summary>Prunes, defaults and validates in place.</summary>
    /// <exception cref="ApiException">400 for unknown fields under Strict; 422 for an invalid object.</exception>
    public static void Admit(ResourceType type, JsonObject value, JsonObject? old, string? subresource, WriteOptions options)
    {
        var unknown = type.Schema is { } schema ? SchemaPruning.Prune(value, schema) : [];
        var complaints = unknown.Select(field => $"unknown field \"{field}\"")
            .Concat(options.DuplicateFields.Select(field => $"duplicate field \"{field}\""))
            .ToList();
        if (complaints.Count > 0 && options.Validation == FieldValidation.Strict)
        {
            throw ApiErrors.BadRequest($"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: strict decoding error: {string.Join(", ", complaints)}");
        }
        if (options.Validation == FieldValidation.Warn)
        {
            options.Warnings.AddRange(complaints);
        }

        var errors = ValidateName(type, value);
        if (type.Schema is not null)
        {
            SchemaDefaults.Apply(value, type.Schema);
            errors.AddRange(SchemaValidator.Validate(value, old, type.Schema, options.Warnings));
        }
        errors.AddRange(type.Strategy.Validate(value, old, subresource));
        if (errors.Count > 0)
        {
            throw ApiErrors.Invalid(type, value.Name(), errors);
        }
    }

    private static List<FieldError> ValidateName(ResourceType type, JsonObject value)
    {
        var errors = new List<FieldError>();
        var name = value.Name();

        // RBAC names are path segments: "system:masters" is one.
        if (type.Group == "rbac.authorization.k8s.io")
        {
            return errors;
        }
        if (!Subdomain().IsMatch(name))
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", NameRule));
        }
        if (name.Length > MaxNameLength)
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", $"must be no more than {MaxNameLength} characters"));
        }
        var annotations = (value.At("metadata", "annotations") as JsonObject ?? []).Sum(a => a.Key.Length + (a.Value.Text()?.Length ?? 0));
        if (annotations > MaxAnnotationBytes)
        {
            errors.Add(FieldError.TooLong("metadata.annotations", MaxAnnotationBytes));
        }
        foreach (var (key, label) in value.At("metadata", "labels") as JsonObject ?? [])
        {
            if (label.Text() is { Length: > 0 } text && !LabelValue().IsMatch(text))
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{text}\"", "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"));
            }
        }
        return errors;
    }

    private static void RequireMetadataTypes(JsonObject value, ResourceType type)
    {
        if (value["metadata"] is { } node and not JsonObject)
        {
            throw Undecodable(type, "metadata", node, "ObjectMeta");
        }
        foreach (var map in new[] { "labels", "annotations" })
        {
            if (value.At("metadata", map) is { } labels && (labels is not JsonObject members || members.Any(member => member.Value is not null && member.Value.Text() is null)))
            {
                throw Undecodable(type, $"metadata.{map}", labels, "map of string to string");
            }
        }
        foreach (var name in new[] { "name", "namespace", "generateName", "uid", "resourceVersion" })
        {
            if (value.At("metadata", name) is { } field && field.Text() is null)
            {
                throw Undecodable(type, $"metadata.{name}", field, "string");
            }
        }
        if (value.At("metadata", "finalizers") is { } finalizers && (finalizers is not JsonArray items || items.Any(item => item.Text() is null)))
        {
            throw Undecodable(type, "metadata.finalizers", finalizers, "list of string");
        }
        if (value.At("metadata", "ownerReferences") is { } owners && (owners is not JsonArray references || references.Any(owner => owner.Text("uid") is null || owner.Text("kind") is null || owner.Text("name") is null || owner.Text("apiVersion") is null)))
        {
            throw Undecodable(type, "metadata.ownerReferences", owners, "list of OwnerReference with apiVersion, kind, name and uid");
        }
    }

    private static ApiException Undecodable(ResourceType type, string field, JsonNode value, string wanted) =>
        ApiErrors.BadRequest($"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: json: cannot unmarshal {StructuralSchema.KindOf(value)} into Go struct field {field} of type {wanted}");

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")]
    private static partial Regex Subdomain();

    [GeneratedRegex("^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")]
    private static partial Regex LabelValue();
}
