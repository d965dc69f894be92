using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Random JSON schemas that use every keyword that is supported.</summary>
internal static class RandomSchemas
{
    private static readonly string[] Names = ["a", "ab", "abc", "name", "größe", "with space", "q\"uote", "日本"];

    public static IEnumerable<string> Make(int count, int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var schema = Value(random, 3);
            schema["$defs"] = new JsonObject
            {
                ["tree"] = JsonNode.Parse(
                    """{"type": "object", "properties": {"v": {"type": "integer", "minimum": 0, "maximum": 99}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/tree"}]}}, "required": ["next"], "additionalProperties": false}"""),
                ["list"] = JsonNode.Parse("""{"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/list"}}"""),
            };
            yield return schema.ToJsonString();
        }
    }

    private static JsonObject Value(Random random, int depth) => random.Next(depth == 0 ? 9 : 16) switch
    {
        0 => new JsonObject { ["type"] = random.Next(2) == 0 ? "boolean" : "null" },
        1 => new JsonObject { ["type"] = "integer" },
        2 => Range(random, "integer"),
        3 => Range(random, "number"),
        4 => new JsonObject { ["type"] = "number" },
        5 => Text(random),
        6 => JsonNode.Parse("""{"enum": ["a", "ab", 1, 2.5, null, true, {"x": [1, "é\"\\"]}]}""")!.AsObject(),
        7 => new JsonObject { ["const"] = JsonNode.Parse(random.Next(2) == 0 ? "\"fixed\\n\"" : "[1,{}]") },
        8 => new JsonObject { ["$ref"] = random.Next(2) == 0 ? "#/$defs/tree" : "#/$defs/list" },
        9 or 10 => Array(random, depth),
        11 => new JsonObject { ["anyOf"] = new JsonArray(Value(random, depth - 1), Value(random, depth - 1)) },
        12 => new JsonObject
        {
            ["oneOf"] = new JsonArray(
                Range(random, "integer"), Text(random), new JsonObject { ["type"] = new JsonArray("null", "boolean") })
        },
        13 => new JsonObject
        {
            ["allOf"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["x"] = Value(random, depth - 1) },
                    ["required"] = new JsonArray("x")
                },
                new JsonObject { ["properties"] = new JsonObject { ["y"] = Value(random, depth - 1) } }),
        },
        _ => Object(random, depth),
    };

    private static JsonObject Range(Random random, string type)
    {
        var schema = new JsonObject { ["type"] = type };
        var low = random.Next(-2000, 2000);
        if (random.Next(3) > 0)
        {
            schema[random.Next(2) == 0 ? "minimum" : "exclusiveMinimum"] = low;
        }

        if (random.Next(3) > 0)
        {
            schema[random.Next(2) == 0 ? "maximum" : "exclusiveMaximum"] = low + random.Next(2, 3000);
        }

        return schema;
    }

    private static JsonObject Text(Random random)
    {
        var schema = new JsonObject { ["type"] = "string" };
        switch (random.Next(4))
        {
            case 0:
                schema["minLength"] = random.Next(4);
                schema["maxLength"] = 4 + random.Next(10);
                break;
            case 1:
                schema["pattern"] = new[] { "^[a-z]+$", "^\\d{3}-\\d{2}$", "ab", "^(x|y\"z)\\s" }[random.Next(4)];
                break;
            case 2:
                schema["format"] = new[] { "date", "uuid", "ipv4", "ipv6", "uri" }[random.Next(5)];
                break;
        }

        return schema;
    }

    private static JsonObject Array(Random random, int depth)
    {
        var schema = new JsonObject { ["type"] = "array", ["items"] = Value(random, depth - 1) };
        if (random.Next(3) == 0)
        {
            schema["prefixItems"] = new JsonArray(Value(random, 0), Value(random, 0));
        }

        if (random.Next(2) == 0)
        {
            schema["minItems"] = random.Next(4);
        }

        if (random.Next(2) == 0)
        {
            schema["maxItems"] = random.Next(4, 6);
        }

        return schema;
    }

    private static JsonObject Object(Random random, int depth)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var name in Names.Where(_ => random.Next(3) == 0))
        {
            properties[name] = Value(random, depth - 1);
            if (random.Next(2) == 0)
            {
                required.Add(name);
            }
        }

        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
        if (random.Next(2) == 0)
        {
            schema["additionalProperties"] = random.Next(3) == 0 ? false : Value(random, 0);
        }

        return schema;
    }
}
