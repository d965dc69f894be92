using System.Text.Json.Nodes;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>What the output must look like where <c>tool_choice</c> demands a call, so that it is one whatever the model. Used by
/// <see cref="ChatTools"/>.</summary>
internal static class ToolDemand
{
    /// <summary>The arguments of one function.</summary>
    public static Constraint Of(JsonObject function) => new Constraint.JsonSchema(Parameters(function, at: "#").ToJsonString());

    /// <summary>An array of calls, <c>{"name": …, "arguments": {…}}</c> each.</summary>
    /// <param name="maxCalls">Most calls in it.</param>
    public static Constraint Any(IEnumerable<JsonObject> functions, int maxCalls)
    {
        var calls = new JsonObject
        {
            ["type"] = "array",
            ["minItems"] = 1,
            ["items"] = new JsonObject { ["anyOf"] = new JsonArray([.. functions.Select((function, index) => Call(function, index))]) },
        };
        if (maxCalls < int.MaxValue)
        {
            calls["maxItems"] = maxCalls;
        }

        return new Constraint.JsonSchema(calls.ToJsonString());
    }

    private static JsonObject Call(JsonObject function, int index) => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["name"] = new JsonObject { ["const"] = (string?)function["name"] },
            ["arguments"] = Parameters(function, $"#/items/anyOf/{index}/properties/arguments"),
        },
        ["required"] = new JsonArray("name", "arguments"),
        ["additionalProperties"] = false,
    };

    /// <summary>A function that says nothing of parameters has none.</summary>
    /// <param name="at">Where the schema will stand: its references to itself are made to lead there.</param>
    private static JsonObject Parameters(JsonObject function, string at)
    {
        if (function["parameters"] is null)
        {
            return new JsonObject { ["type"] = "object", ["properties"] = new JsonObject(), ["additionalProperties"] = false };
        }

        var parameters = (JsonObject)function["parameters"]!.DeepClone();
        Rebase(parameters, at);
        return parameters;
    }

    private static void Rebase(JsonNode? node, string at)
    {
        if (node is JsonArray array)
        {
            foreach (var item in array)
            {
                Rebase(item, at);
            }
        }

        if (node is not JsonObject schema)
        {
            return;
        }

        if (schema["$ref"] is JsonValue reference && reference.TryGetValue<string>(out var target) && target.StartsWith('#'))
        {
            schema["$ref"] = at + target[1..];
        }

        foreach (var (_, value) in schema)
        {
            Rebase(value, at);
        }
    }
}
