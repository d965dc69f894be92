using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>A plain validator of JSON schema, written from the specification: the oracle for sampled outputs.</summary>
internal sealed class SchemaValidator(JsonElement root)
{
    public static bool IsValid(string schema, string text)
    {
        using var document = JsonDocument.Parse(schema);
        using var value = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 });
        return new SchemaValidator(document.RootElement).IsValid(document.RootElement, value.RootElement);
    }

    private bool IsValid(JsonElement schema, JsonElement value) =>
        schema.ValueKind == JsonValueKind.True
            || (schema.ValueKind == JsonValueKind.Object
                && schema.EnumerateObject().All(keyword => Holds(keyword.Name, keyword.Value, schema, value)));

    private bool Holds(string keyword, JsonElement argument, JsonElement schema, JsonElement value)
    {
        var isNumber = value.ValueKind == JsonValueKind.Number;
        var isText = value.ValueKind == JsonValueKind.String;
        var isArray = value.ValueKind == JsonValueKind.Array;
        var isObject = value.ValueKind == JsonValueKind.Object;
        return keyword switch
        {
            "$ref" => IsValid(Resolve(argument.GetString()!), value),
            "type" => argument.ValueKind == JsonValueKind.Array
                ? argument.EnumerateArray().Any(type => IsOf(type.GetString()!, value))
                : IsOf(argument.GetString()!, value),
            "enum" => argument.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)),
            "const" => JsonElement.DeepEquals(argument, value),
            "allOf" => argument.EnumerateArray().All(part => IsValid(part, value)),
            "anyOf" => argument.EnumerateArray().Any(part => IsValid(part, value)),
            "oneOf" => argument.EnumerateArray().Count(part => IsValid(part, value)) == 1,
            "minimum" => !isNumber || value.GetDouble() >= argument.GetDouble(),
            "maximum" => !isNumber || value.GetDouble() <= argument.GetDouble(),
            "exclusiveMinimum" => !isNumber || value.GetDouble() > argument.GetDouble(),
            "exclusiveMaximum" => !isNumber || value.GetDouble() < argument.GetDouble(),
            "minLength" => !isText || value.GetString()!.EnumerateRunes().Count() >= argument.GetInt32(),
            "maxLength" => !isText || value.GetString()!.EnumerateRunes().Count() <= argument.GetInt32(),
            "pattern" => !isText || Regex.IsMatch(value.GetString()!, argument.GetString()!, RegexOptions.ECMAScript),
            "format" => !isText || HasFormat(argument.GetString()!, value.GetString()!),
            "minItems" => !isArray || value.GetArrayLength() >= argument.GetInt32(),
            "maxItems" => !isArray || value.GetArrayLength() <= argument.GetInt32(),
            "prefixItems" =>
                !isArray || value.EnumerateArray().Zip(argument.EnumerateArray()).All(pair => IsValid(pair.Second, pair.First)),
            "items" => !isArray
                || value.EnumerateArray().Skip(schema.TryGetProperty("prefixItems", out var prefix) ? prefix.GetArrayLength() : 0)
                    .All(item => IsValid(argument, item)),
            "required" => !isObject || argument.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
            "properties" => !isObject
                || value.EnumerateObject().All(member => !argument.TryGetProperty(member.Name, out var own) || IsValid(own, member.Value)),
            "additionalProperties" => !isObject
                || value.EnumerateObject()
                    .All(
                        member => (schema.TryGetProperty("properties", out var known) && known.TryGetProperty(member.Name, out _))
                            || IsValid(argument, member.Value)),
            "$defs" or "title" or "description" => true,
            _ => throw new InvalidOperationException($"the validator does not know '{keyword}'"),
        };
    }

    private JsonElement Resolve(string reference) =>
        reference.Split('/').Skip(1).Aggregate(root, (at, name) => at.GetProperty(name));

    private static bool IsOf(string type, JsonElement value) => type switch
    {
        "null" => value.ValueKind == JsonValueKind.Null,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "string" => value.ValueKind == JsonValueKind.String,
        "array" => value.ValueKind == JsonValueKind.Array,
        "object" => value.ValueKind == JsonValueKind.Object,
        "number" => value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble()),
        "integer" => value.ValueKind == JsonValueKind.Number && double.IsInteger(value.GetDouble()),
        _ => throw new InvalidOperationException(type),
    };

    private static bool HasFormat(string format, string text) => format switch
    {
        "date" => DateOnly.TryParseExact(
            text.Replace("0000-", "0004-", StringComparison.Ordinal), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None,
            out _),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "ipv4" or "ipv6" => System.Net.IPAddress.TryParse(text, out _),
        "uri" => Uri.TryCreate(text, UriKind.Absolute, out _),
        _ => throw new InvalidOperationException(format),
    };
}
