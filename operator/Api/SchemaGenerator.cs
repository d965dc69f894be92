using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s.Models;
using static System.FormattableString;

namespace Cluster.Operator.Api;

/// <summary>Structural OpenAPI v3 schemas (apiextensions.k8s.io/v1) of C# types. Called by <see cref="CrdDocument"/>.</summary>
internal static class SchemaGenerator
{
    /// <summary>Schema of a class with all its fields.</summary>
    public static JsonObject Generate(Type type) => OfType(type, type.GetCustomAttribute<SchemaAttribute>());

    private static JsonObject OfType(Type type, SchemaAttribute? facts)
    {
        JsonObject schema = [];
        Set(schema, "description", Describe(facts));
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        var shape = facts?.Shape ?? bare;
        if (facts?.IntOrString == true)
        {
            schema["anyOf"] = new JsonArray(new JsonObject { ["type"] = "integer" }, new JsonObject { ["type"] = "string" });
            schema["x-kubernetes-int-or-string"] = true;
        }
        else if (shape.IsEnum)
        {
            schema["type"] = "string";
            schema["enum"] = Strings(Enum.GetNames(shape));
        }
        else if (Primitive(shape) is { } primitive)
        {
            schema["type"] = primitive.Type;
            Set(schema, "format", primitive.Format);
        }
        else if (shape == typeof(Dictionary<string, string>))
        {
            schema["type"] = "object";
            schema["additionalProperties"] = new JsonObject { ["type"] = "string" };
        }
        else if (shape == typeof(JsonObject))
        {
            schema["type"] = "object";
            schema["x-kubernetes-preserve-unknown-fields"] = true;
        }
        else if (typeof(IList).IsAssignableFrom(shape))
        {
            schema["type"] = "array";
            schema["items"] = OfType(shape.IsArray ? shape.GetElementType()! : shape.GetGenericArguments()[0], null);
        }
        else if (shape.IsClass && !typeof(JsonNode).IsAssignableFrom(shape))
        {
            AddFields(schema, shape);
        }
        else
        {
            throw new NotSupportedException($"{type} has no schema; give it a Shape or IntOrString");
        }

        AddFacts(schema, facts);
        return schema;
    }

    /// <summary>With the default, which kubectl explain shows nowhere else.</summary>
    private static string? Describe(SchemaAttribute? facts) =>
        facts is { Default: { } value } && !facts.Description.Contains("default", StringComparison.OrdinalIgnoreCase)
            ? $"{facts.Description} Default: {value}."
            : facts?.Description;

    private static void AddFields(JsonObject schema, Type type)
    {
        JsonObject properties = [];
        List<string> required = [];
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
        {
            if (property.PropertyType == typeof(V1ObjectMeta))
            {
                continue; // Every object has it, and the API server has its schema.
            }

            var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            var facts = property.GetCustomAttribute<SchemaAttribute>();
            var field = OfType(property.PropertyType, facts);

            // Defaults of an absent object's fields only happen when the object itself has one.
            if (field["properties"] is JsonObject inner
                && inner.Any(item => item.Value!.AsObject().ContainsKey("default"))
                && facts?.Required != true)
            {
                field.Insert(field.IndexOf("type") + 1, "default", new JsonObject());
            }

            properties[name] = field;
            if (facts?.Required == true)
            {
                required.Add(name);
            }
        }

        schema["type"] = "object";
        Set(schema, "required", required.Count > 0 ? Strings(required) : null);
        JsonArray rules = [.. type.GetCustomAttributes<SchemaRuleAttribute>().Select(rule => Rule(rule.Rule, rule.Message))];
        Set(schema, "x-kubernetes-validations", rules.Count > 0 ? rules : null);
        schema["properties"] = properties;
    }

    private static void AddFacts(JsonObject schema, SchemaAttribute? facts)
    {
        if (facts is null)
        {
            return;
        }

        var isList = (string?)schema["type"] == "array";
        Set(schema, "enum", facts.Enum is null ? null : Strings(facts.Enum));
        Set(schema, "default",
            facts.Default is Enum value
                ? JsonValue.Create(value.ToString())
                : facts.Default is null ? null : JsonSerializer.SerializeToNode(facts.Default));
        Set(schema, "minimum", Number(facts.Minimum));
        Set(schema, "maximum", Number(facts.Maximum));
        Set(schema, isList ? "maxItems" : "maxLength", facts.MaxLength < 0 ? null : facts.MaxLength);
        Set(schema, "pattern", facts.Pattern);
        if (facts.ListMapKey is not null)
        {
            schema["x-kubernetes-list-type"] = "map";
            schema["x-kubernetes-list-map-keys"] = Strings([facts.ListMapKey]);
        }

        List<JsonObject> rules = [];
        if (facts.Immutable)
        {
            rules.Add(Rule("self == oldSelf", "cannot be changed; delete the object and create it again"));
        }

        // Beside a value without a fraction the API server drops the bound's: 0 would be no less than a minimum of 0.01.
        if (facts.Minimum != Math.Floor(facts.Minimum) && !double.IsNaN(facts.Minimum))
        {
            rules.Add(Rule(Invariant($"self >= {facts.Minimum}"), Invariant($"must be at least {facts.Minimum}")));
        }

        if (facts.Maximum != Math.Floor(facts.Maximum) && !double.IsNaN(facts.Maximum))
        {
            rules.Add(Rule(Invariant($"self <= {facts.Maximum}"), Invariant($"must be at most {facts.Maximum}")));
        }

        Set(schema, "x-kubernetes-validations", rules.Count > 0 ? new JsonArray([.. rules]) : null);
    }

    private static (string Type, string? Format)? Primitive(Type type)
        => type == typeof(string) ? ("string", null)
            : type == typeof(int) ? ("integer", "int32")
            : type == typeof(long) ? ("integer", "int64")
            : type == typeof(double) ? ("number", "double")
            : type == typeof(bool) ? ("boolean", null)
            : type == typeof(DateTimeOffset) ? ("string", "date-time")
            : null;

    private static JsonNode? Number(double value)
        => double.IsNaN(value) ? null : value == Math.Floor(value) ? JsonValue.Create((long)value) : JsonValue.Create(value);

    private static JsonArray Strings(IEnumerable<string> values) => [.. values.Select(value => JsonValue.Create(value))];

    private static JsonObject Rule(string rule, string message) => new() { ["rule"] = rule, ["message"] = message };

    private static void Set(JsonObject schema, string key, JsonNode? value)
    {
        if (value is not null)
        {
            schema[key] = value;
        }
    }
}
