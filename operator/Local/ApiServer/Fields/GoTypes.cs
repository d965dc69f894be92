using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Cluster.Operator.Local.ApiServer.Resources;
using k8s.Models;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>The fields of every built-in kind, at every depth, from the client library's model classes, which are generated from
/// Kubernetes' OpenAPI. What those do not tell (names of string types, which fields are required) comes from <see cref="GoTypeTable"/>.
/// Read once and kept.</summary>
internal static partial class GoTypes
{
    private static readonly ConcurrentDictionary<(string Group, string Version, string Kind), GoType?> ByKind = new();
    private static readonly ConcurrentDictionary<Type, GoType> Structs = new();

    /// <summary>The fields of a kind.</summary>
    /// <returns>Null for custom kinds, whose fields are in their definition.</returns>
    public static GoType? Of(ResourceType type) =>
        type.IsCustom ? null : ByKind.GetOrAdd((type.Group, type.Version, type.Kind), key => Find(key.Group, key.Version, key.Kind));

    /// <summary>The metadata of custom resources, too.</summary>
    public static GoType ObjectMeta => Struct(typeof(V1ObjectMeta));

    private static GoType? Find(string group, string version, string kind)
    {
        var release = $"{char.ToUpperInvariant(version[0])}{version[1..]}";

        // Kinds of one name in several groups have theirs in front: Corev1Event.
        var prefix = group.Length == 0 ? "Core" : $"{char.ToUpperInvariant(group[0])}{group[1..].Split('.')[0]}";
        return new[] { $"{release}{kind}", $"{prefix}{version}{kind}" }
            .Select(name => typeof(V1Pod).Assembly.GetType($"k8s.Models.{name}"))
            .FirstOrDefault(
                model => model?.GetCustomAttribute<KubernetesEntityAttribute>() is { } entity
                    && entity.Group == group && entity.ApiVersion == version && entity.Kind == kind) is { } found
            ? Struct(found)
            : null;
    }

    private static GoType Struct(Type model) => Structs.GetOrAdd(model, known => new GoType(
        GoKind.Struct, $"{(known.Name.StartsWith("V2", StringComparison.Ordinal) ? "v2" : "v1")}.{StructName(known)}",
        () => FieldsOf(known))
    {
        Member = known.Name,
    });

    private static FrozenDictionary<string, GoField> FieldsOf(Type model)
    {
        var fields = new Dictionary<string, GoField>(StringComparer.Ordinal);
        foreach (var property in model.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name is { } name)
            {
                var path = $"{StructName(model)}.{name}";
                var isRequired = GoTypeTable.IsRequired(path)
                    || (property.PropertyType.IsValueType && Nullable.GetUnderlyingType(property.PropertyType) is null);
                fields[name] = new GoField(
                    name, Of(property.PropertyType, GoTypeTable.NameOf(path)), isRequired, $"{model.Name}.{property.Name}");
            }
        }

        return fields.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <param name="named">What Go calls the type, or that of its items, where it has a name of its own.</param>
    private static GoType Of(Type type, string? named)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsGenericType)
        {
            var item = Of(type.GetGenericArguments()[^1], named == ResourceList ? null : named);
            return type.GetGenericTypeDefinition() == typeof(IDictionary<,>)
                ? new GoType(GoKind.Map, named == ResourceList ? named : $"map[string]{item.Name}") { Item = item }
                : new GoType(GoKind.List, $"[]{item.Name}") { Item = item };
        }

        return type switch
        {
            _ when type == typeof(string) => new GoType(GoKind.Text, named ?? "string"),
            _ when type == typeof(bool) => new GoType(GoKind.Boolean, "bool"),
            _ when type == typeof(int) => new GoType(GoKind.Integer32, "int32"),
            _ when type == typeof(long) => new GoType(GoKind.Integer64, "int64"),
            _ when type == typeof(double) => new GoType(GoKind.Number, "float64"),
            _ when type == typeof(byte[]) => new GoType(GoKind.Bytes, "[]uint8"),
            _ when type == typeof(DateTime) => new GoType(GoKind.Time, "v1.Time"),
            _ when type == typeof(IntOrString) => new GoType(GoKind.IntOrString, "intstr.IntOrString"),
            _ when type == typeof(ResourceQuantity) => new GoType(GoKind.Quantity, "resource.Quantity"),
            _ when type.Namespace == typeof(V1Pod).Namespace => Struct(type),
            _ => new GoType(GoKind.Any, "runtime.RawExtension"),
        };
    }

    private const string ResourceList = "v1.ResourceList";

    private static string StructName(Type model) => ReleasePrefix().Replace(model.Name, "");

    [GeneratedRegex("^(?:V[12]|[A-Z][a-z]+v1)(?=[A-Z])")]
    private static partial Regex ReleasePrefix();
}
