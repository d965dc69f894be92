using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Schemas as tools, frameworks and configurations have them: fields of many kinds in the wrappings that OpenAI's clients,
/// pydantic, zod, generators for TypeScript and configuration files put around them.</summary>
internal static class RealSchemas
{
    private static readonly JsonSerializerOptions Spelling = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Fields, with the annotations that their sources add.</summary>
    private static readonly string[] Fields =
    [
        """{"type": "string", "description": "City and country, e.g. Paris, France", "example": "Paris"}""",
        """{"type": "string", "enum": ["celsius", "fahrenheit"], "x-enum-descriptions": ["C", "F"]}""",
        """{"title": "Name", "type": "string", "minLength": 1, "maxLength": 12, "x-order": 0}""",
        """{"type": "string", "pattern": "^[a-z][a-z0-9-]{0,14}$", "markdownDescription": "a **slug**"}""",
        """{"type": "string", "pattern": "^[A-Z]{2}$", "minLength": 2, "maxLength": 2}""",
        """{"type": "string", "format": "date", "maxLength": 10}""",
        """{"type": "string", "format": "uuid", "minLength": 36}""",
        """{"type": "string", "format": "email", "pattern": "@example"}""",
        """{"type": "string", "format": "date-time"}""",
        """{"type": "string", "format": "password", "minLength": 3, "maxLength": 9}""",
        """{"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png", "maxLength": 8}""",
        """{"type": "string", "pattern": "^(?!test)[ -~é]{3,8}$"}""",
        """{"type": "string", "pattern": "^(?=.*[0-9])(?=.*[a-z])[a-z0-9]{4,8}$"}""",
        """{"type": "string", "pattern": "\\bok\\b", "maxLength": 9}""",
        """{"type": "string", "pattern": "^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"}""",
        """{"type": "string", "pattern": "^v\\d+\\.\\d+\\.\\d+$", "maxLength": 10}""",
        """{"type": "integer", "format": "int32", "minimum": 0, "maximum": 65535}""",
        """{"type": "integer", "format": "uint64", "minimum": 0, "maximum": 18446744073709551615}""",
        """{"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807}""",
        """{"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5}""",
        """{"type": "integer", "multipleOf": 64, "minimum": 64, "maximum": 4096}""",
        """{"type": "number", "minimum": 0, "maximum": 1, "default": 0.7}""",
        """{"type": "number", "exclusiveMinimum": 0.25, "exclusiveMaximum": 0.5}""",
        """{"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 1000}""",
        """{"type": "number", "multipleOf": 0.25}""",
        """{"type": "number", "minimum": -1.7976931348623157e308, "maximum": 1.7976931348623157e308}""",
        """{"type": "boolean", "default": false, "deprecated": true}""",
        """{"type": ["string", "null"], "maxLength": 5, "default": null}""",
        """{"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null, "title": "Age"}""",
        """{"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "hostname", "maxLength": 12}]}""",
        """{"const": "v1"}""",
        """{"enum": ["a", 1, null, true, {"k": [1]}]}""",
        """{"type": "string", "enum": ["low", "medium", "high"], "minLength": 4}""",
        """{"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 1, "maxItems": 3}""",
        """{"type": "array", "items": {"enum": ["red", "green", "blue"]}, "uniqueItems": true}""",
        """{"type": "array", "items": {"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}, "uniqueItems": true, "minItems": 2, "maxItems": 4}""",
        """{"type": "array", "items": {"type": "boolean"}, "uniqueItems": true, "minItems": 1}""",
        """{"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2, "items": false}""",
        """{"type": "array", "prefixItems": [{"const": "x"}], "items": {"type": "integer"}, "minItems": 1}""",
        """{"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}}""",
        """{"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 3}""",
        """{"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}""",
        """{"type": "object", "patternProperties": {"^x-[a-z]{1,4}$": {"type": "boolean"}}, "additionalProperties": false}""",
        """{"type": "object", "patternProperties": {"^S_": {"type": "string", "maxLength": 3}, "^I_": {"type": "integer"}}}""",
        """{"type": "object", "propertyNames": {"pattern": "^[a-z]{1,5}$"}, "additionalProperties": {"type": "null"}}""",
        """{"type": "object", "propertyNames": {"enum": ["north", "south"]}, "additionalProperties": {"type": "number"}, "minProperties": 1}""",
        """{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}}, "minProperties": 2}""",
        """{"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1, "additionalProperties": false}""",
        """{"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}, "required": ["lat", "lon"], "unevaluatedProperties": false}""",
        """{"allOf": [{"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}, {"properties": {"tag": {"type": "string"}}}]}""",
        """{"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "b$"}, {"maxLength": 6}]}""",
        """{"oneOf": [{"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind"]}, {"type": "object", "properties": {"kind": {"const": "dog"}, "bark": {"type": "boolean"}}, "required": ["kind", "bark"]}], "discriminator": {"propertyName": "kind"}}""",
    ];

    /// <summary>What stands around fields: each gets a name and a JSON object of properties, and which of them are required.</summary>
    private static readonly Func<JsonObject, string[], JsonObject>[] Wrappings =
    [
        // A tool of OpenAI's, strict.
        (properties, _) => new JsonObject
        {
            ["type"] = "object",
            ["properties"] = properties,
            ["required"] = new JsonArray([.. properties.Select(pair => (JsonNode?)pair.Key)]),
            ["additionalProperties"] = false,
        },

        // pydantic.
        (properties, required) => new JsonObject
        {
            ["$defs"] = new JsonObject
            {
                ["Inner"] = new JsonObject
                {
                    ["title"] = "Inner",
                    ["type"] = "object",
                    ["properties"] = properties,
                    ["required"] = Names(required),
                },
            },
            ["title"] = "Outer",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["inner"] = new JsonObject { ["$ref"] = "#/$defs/Inner", ["description"] = "nested" },
                ["items"] = new JsonObject
                {
                    ["items"] = new JsonObject { ["$ref"] = "#/$defs/Inner" },
                    ["maxItems"] = 1,
                    ["type"] = "array",
                },
            },
            ["required"] = Names(["inner"]),
            ["x-order"] = 3,
        },

        // zod.
        (properties, required) => new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["type"] = "object",
            ["properties"] = properties,
            ["required"] = Names(required),
            ["additionalProperties"] = false,
        },

        // A generator for TypeScript: draft 7, definitions, and a union with null.
        (properties, required) => new JsonObject
        {
            ["$ref"] = "#/definitions/Props",
            ["definitions"] = new JsonObject
            {
                ["Props"] = new JsonObject
                {
                    ["anyOf"] = new JsonArray(
                        new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = Names(required) },
                        new JsonObject { ["type"] = "null" }),
                },
            },
        },

        // A configuration file: mapping of names, with extensions.
        (properties, required) => new JsonObject
        {
            ["title"] = "settings",
            ["type"] = "object",
            ["markdownDescription"] = "see **docs**",
            ["patternProperties"] = new JsonObject
            {
                ["^[a-z]{1,6}$"] = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = Names(required) },
            },
            ["additionalProperties"] = false,
            ["minProperties"] = 1,
            ["maxProperties"] = 2,
        },
    ];

    /// <summary>So many schemas, the same for the same seed.</summary>
    public static IEnumerable<string> Make(int count, int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var properties = new JsonObject();
            var number = i < Fields.Length ? 1 : random.Next(1, 5);
            for (var j = 0; j < number; j++)
            {
                var name = random.Next(5) == 0 ? $"feld ü{j}" : string.Create(CultureInfo.InvariantCulture, $"field_{j}");
                properties[name] = JsonNode.Parse(Fields[i < Fields.Length ? i : random.Next(Fields.Length)]);
            }

            string[] required = [.. properties.Select(pair => pair.Key).Where(_ => random.Next(2) == 0)];
            yield return Wrappings[i % Wrappings.Length](properties, required).ToJsonString();
        }
    }

    private static JsonArray Names(IEnumerable<string> names) => new([.. names.Select(name => (JsonNode?)name)]);

    /// <summary>The same schema for a validator that refuses to read keywords it does not know.</summary>
    public static string Plain(string schema)
    {
        var root = JsonNode.Parse(schema.Replace("definitions", "$defs", StringComparison.Ordinal))!;
        List<JsonNode> nodes = [];
        Collect(root, nodes);
        foreach (var json in nodes.OfType<JsonObject>())
        {
            foreach (var name in (string[])["example", "markdownDescription", "x-enum-descriptions", "x-order", "discriminator"])
            {
                json.Remove(name);
            }
        }

        return root.ToJsonString();
    }

    /// <summary>A text that is another value by a little, or none.</summary>
    public static string Mutate(string text, Random random)
    {
        var mutant = Changed(text, random);
        return mutant.EnumerateRunes().Any(rune => rune == System.Text.Rune.ReplacementChar) ? text : mutant;
    }

    private static string Changed(string text, Random random)
    {
        if (random.Next(3) == 0)
        {
            var at = random.Next(text.Length);
            return random.Next(3) switch
            {
                0 => text.Remove(at, 1),
                1 => text.Insert(at, "0a\" ,:x-[}"[random.Next(10)].ToString()),
                _ => text.Remove(at, 1).Insert(at, "9z\"e.{-]"[random.Next(8)].ToString()),
            };
        }

        var root = JsonNode.Parse(text);
        List<JsonNode> nodes = [];
        Collect(root, nodes);
        if (nodes.Count == 0)
        {
            return "1";
        }

        var node = nodes[random.Next(nodes.Count)];
        var changed = node switch
        {
            JsonObject json => Changed(json, random),
            JsonArray array => Changed(array, random),
            _ => Changed(node, random),
        };
        if (node.Parent is null)
        {
            return changed?.ToJsonString() ?? "null";
        }

        node.ReplaceWith(changed);
        return root!.ToJsonString(Spelling);
    }

    private static void Collect(JsonNode? node, List<JsonNode> nodes)
    {
        if (node is null)
        {
            return;
        }

        nodes.Add(node);
        foreach (var child in node switch { JsonObject json => json.Select(pair => pair.Value), JsonArray array => array, _ => [] })
        {
            Collect(child, nodes);
        }
    }

    private static JsonObject Changed(JsonObject json, Random random)
    {
        var copy = (JsonObject)json.DeepClone();
        if (copy.Count > 0 && random.Next(2) == 0)
        {
            copy.Remove(copy.ElementAt(random.Next(copy.Count)).Key);
        }
        else
        {
            copy[random.Next(3) switch { 0 => "zz", 1 => "x-y", _ => "kind" }] = random.Next(2) == 0 ? 7 : "q";
        }

        return copy;
    }

    private static JsonArray Changed(JsonArray array, Random random)
    {
        var copy = (JsonArray)array.DeepClone();
        if (copy.Count > 0 && random.Next(2) == 0)
        {
            copy.RemoveAt(random.Next(copy.Count));
        }
        else
        {
            copy.Add(copy.Count > 0 && random.Next(2) == 0 ? copy[0]?.DeepClone() : "other");
        }

        return copy;
    }

    private static JsonNode? Changed(JsonNode value, Random random) => value.GetValueKind() switch
    {
        JsonValueKind.Number => random.Next(4) switch
        {
            0 => JsonNode.Parse(value.ToJsonString().Split('e', 'E')[0] is var digits and not ("0" or "-0") ? digits + "1" : "10"),
            1 => -1,
            2 => 0.3,
            _ => "1",
        },
        JsonValueKind.String => random.Next(4) switch
        {
            0 => value.GetValue<string>() + "x",
            1 => "",
            2 => value.GetValue<string>() is { Length: > 0 } text ? text[1..] : "A",
            _ => 5,
        },
        _ => random.Next(2) == 0 ? null : 1,
    };
}
