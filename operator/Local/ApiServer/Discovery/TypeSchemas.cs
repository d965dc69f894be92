using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Fields;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>The <c>components.schemas</c> of one OpenAPI document: built-in types with all that they refer to.</summary>
internal sealed class TypeSchemas(string apiVersion)
{
    private const string Meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
    private const string IntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    private const string Quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";

    private static readonly FrozenSet<string> MetaTypes = new[]
    {
        "Condition", "FieldSelectorRequirement", "LabelSelector", "LabelSelectorRequirement", "ManagedFieldsEntry", "ObjectMeta",
        "OwnerReference",
    }.ToFrozenSet();

    // Types that are spoken of in several groups are of the core group, wherever its kinds use them.
    private static readonly Lazy<HashSet<GoType>> CoreTypes = new(ReachedByCore);

    public JsonObject Schemas { get; } = [];

    /// <summary>Adds a built-in kind.</summary>
    /// <returns>Its schema, to be completed by the caller.</returns>
    public JsonObject Add(GoType kind)
    {
        Refer(kind);
        return (JsonObject)Schemas[NameOf(kind)]!;
    }

    /// <summary>Standard metadata, for custom kinds too.</summary>
    public JsonObject Metadata() => Of(GoTypes.ObjectMeta, "Standard object's metadata.");

    public string NameOf(GoType type) => MetaTypes.Contains(type.StructName) ? $"{Meta}.{type.StructName}"
        : CoreTypes.Value.Contains(type) ? $"io.k8s.api.core.v1.{type.StructName}"
        : $"{Prefix(apiVersion)}.{type.StructName}";

    /// <summary><c>io.k8s.api.apps.v1</c>.</summary>
    public static string Prefix(string apiVersion) => apiVersion.Split('/') is [var group, var version]
        ? $"io.k8s.api.{group.Split('.')[0]}.{version}"
        : $"io.k8s.api.core.{apiVersion}";

    private JsonObject Of(GoType type, string? description)
    {
        var schema = type.Kind switch
        {
            GoKind.Struct => Refer(type),
            GoKind.List => new JsonObject { ["type"] = "array", ["items"] = Of(type.Item!, null) },
            GoKind.Map => new JsonObject { ["type"] = "object", ["additionalProperties"] = Of(type.Item!, null) },
            GoKind.Text => new JsonObject { ["type"] = "string", ["default"] = "" },
            GoKind.Boolean => new JsonObject { ["type"] = "boolean" },
            GoKind.Integer32 => new JsonObject { ["type"] = "integer", ["format"] = "int32" },
            GoKind.Integer64 => new JsonObject { ["type"] = "integer", ["format"] = "int64" },
            GoKind.Number => new JsonObject { ["type"] = "number", ["format"] = "double" },
            GoKind.Bytes => new JsonObject { ["type"] = "string", ["format"] = "byte" },
            GoKind.Time => Refer($"{Meta}.Time", () => new JsonObject { ["type"] = "string", ["format"] = "date-time" }),
            GoKind.IntOrString => Refer(IntOrString, () => Either("int-or-string", "integer", "string")),
            GoKind.Quantity => Refer(Quantity, () => Either(null, "string", "number")),
            _ => new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true },
        };
        if (description is not null)
        {
            schema["description"] = description;
        }

        return schema;
    }

    private JsonObject Refer(GoType type) => Refer(NameOf(type), () => new JsonObject(), schema =>
    {
        var properties = new JsonObject();
        foreach (var (name, field) in type.Fields.OrderBy(field => field.Key, StringComparer.Ordinal))
        {
            properties[name] = Of(field.Type, FieldDescriptions.Of(field.Member) ?? "");
        }

        schema["description"] = FieldDescriptions.Of(type.Member) ?? "";
        schema["type"] = "object";
        schema["properties"] = properties;
        var required = type.Fields.Values.Where(field => field.IsRequired).Select(field => field.Name).Order(StringComparer.Ordinal)
            .ToList();
        if (required.Count > 0)
        {
            schema["required"] = new JsonArray([.. required.Select(name => (JsonNode)name)]);
        }
    });

    // The schema stands in its place before it is filled: types refer to themselves.
    private JsonObject Refer(string name, Func<JsonObject> make, Action<JsonObject>? fill = null)
    {
        if (!Schemas.ContainsKey(name))
        {
            var schema = make();
            Schemas[name] = schema;
            fill?.Invoke(schema);
        }

        return new JsonObject
        {
            ["allOf"] = new JsonArray(new JsonObject { ["$ref"] = $"#/components/schemas/{name}" }),
            ["default"] = new JsonObject(),
        };
    }

    private static JsonObject Either(string? format, params string[] types)
    {
        var schema = new JsonObject
        {
            ["oneOf"] = new JsonArray([.. types.Select(type => (JsonNode)new JsonObject { ["type"] = type })]),
        };
        if (format is not null)
        {
            schema["format"] = format;
        }

        return schema;
    }

    private static HashSet<GoType> ReachedByCore()
    {
        var reached = new HashSet<GoType>();
        foreach (var type in BuiltInResources.All(new ResourceStrategy()).Where(type => type.Group.Length == 0))
        {
            Visit(GoTypes.Of(type));
        }

        return reached;

        void Visit(GoType? type)
        {
            while (type is { Kind: GoKind.List or GoKind.Map })
            {
                type = type.Item;
            }

            if (type is { Kind: GoKind.Struct } && reached.Add(type))
            {
                foreach (var field in type.Fields.Values)
                {
                    Visit(field.Type);
                }
            }
        }
    }
}
