using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Plugin;

/// <summary>Changes to a spec as one types them: <c>replicas=4,tp=2,maxModelLen=8192,gpu.requireSameHive=false</c>. A name is a path in the
/// spec, or a field of one of its parts where only one has such a field. What comes of it passes the checks of an API server.</summary>
internal static class WhatIf
{
    private static readonly Dictionary<string, string> Aliases = new(StringComparer.Ordinal)
    {
        ["tp"] = "tensorParallelSize",
        ["hive"] = "gpu.requireSameHive",
    };

    /// <summary>Parts of the spec whose fields may be named without them.</summary>
    private static readonly string[] Parts = ["engine", "gpu", "rollout", "tuning", "model"];

    /// <param name="assignments">Each <c>NAME=VALUE</c>, or several with commas between; an empty value takes the field away.</param>
    /// <returns>The changed deployment, and each change as <c>replicas: 2 → 4</c>.</returns>
    /// <exception cref="CommandFailure">No such field, or not of that form.</exception>
    /// <exception cref="ManifestException">An API server would refuse the changed deployment.</exception>
    public static (ModelDeployment Deployment, IReadOnlyList<string> Changes) Apply(
        ModelDeployment deployment, IEnumerable<string> assignments)
    {
        JsonObject manifest = new()
        {
            ["apiVersion"] = ApiNames.ApiVersion,
            ["kind"] = ApiNames.Kind,
            ["metadata"] = new JsonObject
            {
                ["name"] = deployment.Metadata.Name,
                ["namespace"] = deployment.Metadata.NamespaceProperty,
            },
            ["spec"] = KubernetesJson.ToJsonObject(deployment.Spec),
        };
        var spec = manifest["spec"]!.AsObject();
        List<string> changes = [];
        foreach (var assignment in assignments.SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            changes.Add(Assign(spec, assignment.Trim()));
        }

        if (spec["tensorParallelSize"] is JsonValue size && size.GetValueKind() == JsonValueKind.Number)
        {
            // They say how auto decides, and are refused beside a number.
            spec.Remove("optimizeFor");
            (spec["model"] as JsonObject)?.Remove("config");
        }

        var admitted = KubernetesJson.Read<ModelDeployment>(new ManifestKind(CrdDocument.Build()).Admit(manifest));
        ModelDeployment changed = new()
        {
            ApiVersion = deployment.ApiVersion,
            Kind = deployment.Kind,
            Metadata = deployment.Metadata,
            Spec = ModelDeploymentDefaults.Apply(admitted).Spec,
            Status = deployment.Status,
        };
        return (changed, changes);
    }

    private static string Assign(JsonObject spec, string assignment)
    {
        var equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            throw new CommandFailure($"--what-if {assignment}: expected NAME=VALUE, as in replicas=4 or tp=2");
        }

        var text = assignment[(equals + 1)..];
        var (names, field) = Walk(Resolve(assignment[..equals]).Split('.'));
        var parent = spec;
        foreach (var name in names[..^1])
        {
            parent = (parent[name] ??= new JsonObject()) as JsonObject
                ?? throw new CommandFailure($"--what-if {assignment}: {name} has no fields");
        }

        var before = Show(parent[names[^1]]);
        var isText = field == typeof(string);
        if (text.Length == 0)
        {
            parent.Remove(names[^1]);
        }
        else
        {
            parent[names[^1]] = isText ? JsonValue.Create(text) : Scalar(text, assignment);
        }

        return $"{string.Join('.', names)}: {before} → {Show(parent[names[^1]])}";
    }

    private static string Show(JsonNode? value) => value?.ToString() ?? "unset";

    private static JsonNode? Scalar(string text, string assignment)
    {
        try
        {
            return YamlJson.Parse(text, "value");
        }
        catch (YamlSyntaxException error)
        {
            throw new CommandFailure($"--what-if {assignment}: {error.Message}", error);
        }
    }

    private static string Resolve(string name)
    {
        if (Aliases.TryGetValue(name, out var path))
        {
            return path;
        }

        if (name.Contains('.', StringComparison.Ordinal) || Field(typeof(ModelDeploymentSpec), name) is not null)
        {
            return name;
        }

        List<string> parts = [.. Parts.Where(part => Field(Field(typeof(ModelDeploymentSpec), part)!.PropertyType, name) is not null)];
        return parts.Count == 1 ? $"{parts[0]}.{name}" : name;
    }

    /// <returns>The names on the way, and the type of the field; null where anything may stand.</returns>
    /// <exception cref="CommandFailure">There is no such field, or it cannot be changed.</exception>
    private static (string[] Names, Type? Field) Walk(string[] names)
    {
        var type = typeof(ModelDeploymentSpec);
        for (var i = 0; i < names.Length; i++)
        {
            if (typeof(JsonNode).IsAssignableFrom(type))
            {
                return (names, null);
            }

            if (type == typeof(Dictionary<string, string>))
            {
                // Labels have dots in their names.
                return ([.. names[..i], string.Join('.', names[i..])], typeof(string));
            }

            var parent = string.Join('.', ["spec", .. names[..i]]);
            var field = Field(type, names[i]) ?? throw new CommandFailure(
                $"--what-if {string.Join('.', names)}: {parent} has no field '{names[i]}'; it has "
                + string.Join(", ", type.GetProperties().Select(NameOf).Order(StringComparer.Ordinal)));
            if (field.GetCustomAttribute<SchemaAttribute>()?.Immutable == true)
            {
                throw new CommandFailure(
                    $"--what-if {string.Join('.', names)}: it cannot be changed; a deployment with another value has to be made anew");
            }

            type = field.PropertyType;
        }

        return (names, type);
    }

    private static PropertyInfo? Field(Type type, string name) => Array.Find(type.GetProperties(), property => NameOf(property) == name);

    private static string NameOf(PropertyInfo property) => JsonNamingPolicy.CamelCase.ConvertName(property.Name);
}
