using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Fields;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>OpenAPI v3, as far as kubectl reads it: <c>explain</c> needs schemas found by path and kind, <c>apply</c> needs to see that
/// PATCH takes fieldValidation and dryRun.</summary>
/// <remarks>PATCH does not list strategic merge among its media types: kubectl then computes such patches from its own Go types, which know
/// every merge key, instead of from these schemas, which do not.</remarks>
internal static class OpenApiDocuments
{
    private static readonly ConcurrentDictionary<string, (IReadOnlyList<ResourceType> Types, byte[] Json, string Hash)> Known = new();

    public static JsonObject Index(ResourceRegistry registry)
    {
        var paths = new JsonObject();
        foreach (var apiVersion in registry.Types.Select(type => type.ApiVersion).Distinct())
        {
            var path = PathOf(apiVersion)[1..];
            paths[path] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}?hash={Find(registry, apiVersion)!.Value.Hash}" };
        }
        return new JsonObject { ["paths"] = paths };
    }

    /// <returns>JSON; null when the version is not served.</returns>
    public static byte[]? Document(ResourceRegistry registry, string apiVersion) => Find(registry, apiVersion)?.Json;

    /// <summary>Written anew only when the kinds of the version have changed: kubectl asks for the index before each of its
    /// commands.</summary>
    private static (byte[] Json, string Hash)? Find(ResourceRegistry registry, string apiVersion)
    {
        var types = registry.Types.Where(type => type.ApiVersion == apiVersion).ToList();
        if (types.Count == 0)
        {
            return null;
        }

        if (!Known.TryGetValue(apiVersion, out var known) || !IsFor(known.Types, types))
        {
            var json = JsonText.Serialize(Write(types, apiVersion));
            known = (types, json, Convert.ToHexString(SHA256.HashData(json))[..32]);
            Known[apiVersion] = known;
        }

        return (known.Json, known.Hash);
    }

    // Servers of one process have each their own objects for the built-in kinds, which say the same.
    private static bool IsFor(IReadOnlyList<ResourceType> known, List<ResourceType> types) =>
        known.Count == types.Count
        && known.Zip(types).All(pair => pair.First == pair.Second
            || (!pair.First.IsCustom && !pair.Second.IsCustom && pair.First.Kind == pair.Second.Kind));

    private static JsonObject Write(List<ResourceType> types, string apiVersion)
    {
        var paths = new JsonObject();
        var schemas = new TypeSchemas(apiVersion);
        foreach (var type in types)
        {
            AddSchema(schemas, type);
            AddPaths(paths, type);
        }
        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = KubernetesRelease.Version },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas.Schemas },
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

    private static void AddSchema(TypeSchemas schemas, ResourceType type)
    {
        JsonObject schema;
        if (GoTypes.Of(type) is { } known)
        {
            schema = schemas.Add(known);
        }
        else
        {
            schema = type.Schema?.Source.Copy() ?? new JsonObject { ["type"] = "object" };
            var properties = schema.Child("properties");
            properties["apiVersion"] = Text("APIVersion defines the versioned schema of this representation of an object.");
            properties["kind"] = Text("Kind is a string value representing the REST resource this object represents.");
            properties["metadata"] = schemas.Metadata();
            schemas.Schemas[SchemaName(type)] = schema;
        }

        schema["x-kubernetes-group-version-kind"] = new JsonArray(Kind(type));
    }

    private static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };

    private static JsonObject Kind(ResourceType type) => new() { ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind };

    private static string SchemaName(ResourceType type) =>
        type.IsCustom ? $"{string.Join('.', type.Group.Split('.').Reverse())}.{type.Version}.{type.Kind}"
        : $"{TypeSchemas.Prefix(type.ApiVersion)}.{type.Kind}";
}
