using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>OpenAPI v3, as far as kubectl reads it: <c>explain</c> needs schemas found by path and kind, <c>apply</c> needs to see that
/// PATCH takes fieldValidation and dryRun.</summary>
/// <remarks>PATCH does not list strategic merge among its media types: kubectl then computes such patches from its own Go types, which know
/// every merge key, instead of from these short schemas.</remarks>
internal static class OpenApiDocuments
{
    private const string ObjectMetaName = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

    public static JsonObject Index(ResourceRegistry registry)
    {
        var paths = new JsonObject();
        foreach (var apiVersion in registry.Types.Select(type => type.ApiVersion).Distinct())
        {
            var path = PathOf(apiVersion)[1..];
            var document = JsonText.Serialize(Document(registry, apiVersion)!);
            var hash = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(document))[..32];
            paths[path] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}?hash={hash}" };
        }
        return new JsonObject { ["paths"] = paths };
    }

    /// <returns>null when the version is not served.</returns>
    public static JsonObject? Document(ResourceRegistry registry, string apiVersion)
    {
        var types = registry.Types.Where(type => type.ApiVersion == apiVersion).ToList();
        if (types.Count == 0)
        {
            return null;
        }
        var paths = new JsonObject();
        var schemas = new JsonObject { [ObjectMetaName] = ObjectMeta() };
        if (apiVersion == "v1")
        {
            CoreFieldTable.AddTo(schemas);
        }

        foreach (var type in types)
        {
            schemas[SchemaName(type)] = Schema(type);
            AddPaths(paths, type);
        }
        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "local" },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
    }

    public static string PathOf(string apiVersion) =>
        apiVersion.Contains('/', StringComparison.Ordinal) ? $"/apis/{apiVersion}" : $"/api/{apiVersion}";

    private static void AddPaths(JsonObject paths, ResourceType type)
    {
        var root = PathOf(type.ApiVersion);
        var collection = type.Namespaced ? $"{root}/namespaces/{{namespace}}/{type.Plural}" : $"{root}/{type.Plural}";
        if (type.Namespaced)
        {
            paths[$"{root}/{type.Plural}"] = new JsonObject { ["get"] = Operation(type, "list") };
        }
        paths[collection] = type.IsReview
            ? new JsonObject { ["post"] = Operation(type, "post") }
            : new JsonObject
            {
                ["get"] = Operation(type, "list"),
                ["post"] = Operation(type, "post"),
                ["delete"] = Operation(type, "deletecollection")
            };
        if (type.IsReview)
        {
            return;
        }
        paths[$"{collection}/{{name}}"] = new JsonObject
        {
            ["get"] = Operation(type, "get"),
            ["put"] = Operation(type, "put"),
            ["patch"] = Operation(type, "patch"),
            ["delete"] = Operation(type, "delete"),
        };
    }

    private static JsonObject Operation(ResourceType type, string action)
    {
        var operation = new JsonObject
        {
            ["x-kubernetes-action"] = action,
            ["x-kubernetes-group-version-kind"] = Kind(type),
            ["responses"] = new JsonObject
            {
                ["200"] = new JsonObject { ["description"] = "OK", ["content"] = Content("application/json", type) }
            },
        };
        if (action is "post" or "put" or "patch")
        {
            operation["parameters"] = new JsonArray(
                [.. new[] { "dryRun", "fieldManager", "fieldValidation" }.Select(name => (JsonNode)new JsonObject
            {
                ["name"] = name,
                ["in"] = "query",
                ["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true },
            })]);
            operation["requestBody"] = new JsonObject
            {
                ["content"] = action == "patch" ? Content("application/merge-patch+json", type) : Content("application/json", type),
            };
        }
        return operation;
    }

    private static JsonObject Content(string mediaType, ResourceType type) => new()
    {
        [mediaType] = new JsonObject { ["schema"] = new JsonObject { ["$ref"] = $"#/components/schemas/{SchemaName(type)}" } },
    };

    private static JsonObject Schema(ResourceType type)
    {
        var schema = type.Schema?.Source.Copy() ?? new JsonObject { ["type"] = "object", ["description"] = $"A {type.Kind}." };
        var properties = schema.Child("properties");
        properties["apiVersion"] = Text("APIVersion defines the versioned schema of this representation of an object.");
        properties["kind"] = Text("Kind is a string value representing the REST resource this object represents.");
        properties["metadata"] = new JsonObject
        {
            ["description"] = "Standard object's metadata.",
            ["allOf"] = new JsonArray(new JsonObject { ["$ref"] = $"#/components/schemas/{ObjectMetaName}" }),
            ["default"] = new JsonObject(),
        };
        if (type.Schema is null)
        {
            properties["spec"] = CoreFieldTable.Reference(type.Kind, "Spec", "What is wanted.") ?? Open("What is wanted.");
            properties["status"] = CoreFieldTable.Reference(type.Kind, "Status", "What is observed.") ?? Open("What is observed.");
        }
        schema["x-kubernetes-group-version-kind"] = new JsonArray(Kind(type));
        return schema;
    }

    private static JsonObject ObjectMeta() => new()
    {
        ["type"] = "object",
        ["description"] = "ObjectMeta is metadata that all persisted resources must have.",
        ["properties"] = new JsonObject
        {
            ["name"] = Text("Name must be unique within a namespace."),
            ["generateName"] = Text("A prefix the server makes a unique name of."),
            ["namespace"] = Text("Namespace defines the space within which each name must be unique."),
            ["uid"] = Text("UID is the unique in time and space value for this object."),
            ["resourceVersion"] = Text("An opaque value that represents the internal version of this object."),
            ["labels"] = TextMap("Map of string keys and values that can be used to organize and categorize objects."),
            ["annotations"] = TextMap("An unstructured key value map stored with a resource."),
        },
    };

    private static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };

    private static JsonObject TextMap(string description) => new()
    {
        ["type"] = "object",
        ["description"] = description,
        ["additionalProperties"] = new JsonObject { ["type"] = "string", ["default"] = "" },
    };

    private static JsonObject Open(string description) =>
        new() { ["type"] = "object", ["description"] = description, ["x-kubernetes-preserve-unknown-fields"] = true };

    private static JsonObject Kind(ResourceType type) => new() { ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind };

    private static string SchemaName(ResourceType type) =>
        type.IsCustom ? $"{string.Join('.', type.Group.Split('.').Reverse())}.{type.Version}.{type.Kind}"
        : $"io.k8s.api.{(type.Group.Length == 0 ? "core" : type.Group.Split('.')[0])}.{type.Version}.{type.Kind}";
}
