using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Serving.Http;

/// <summary>The tools of a chat request, and whether the model may or must call them. Read by
/// <see cref="ChatCompletionsEndpoint"/>.</summary>
internal sealed class ChatTools
{
    private const string Choice = "tool_choice";

    private ChatTools(CallDemand calls, JsonArray? definitions, int maxCalls)
    {
        Calls = calls;
        Definitions = definitions;
        MaxCalls = maxCalls;
    }

    /// <summary>Which calls the output may hold, or must.</summary>
    public CallDemand Calls { get; }

    /// <summary>What the template renders; null when the model is to know of no tools.</summary>
    public JsonArray? Definitions { get; }

    /// <summary>Calls beyond are dropped.</summary>
    public int MaxCalls { get; }

    /// <summary>What the output must look like to be the call that is demanded; null when none is.</summary>
    public Constraint? Demand { get; private init; }

    /// <summary>Of the function that is demanded by its name.</summary>
    public string? Name { get; private init; }

    /// <exception cref="ApiException">A definition has not the shape of one, or a call is demanded of a tool that is not there.</exception>
    public static ChatTools Read(RequestFields fields)
    {
        var maxCalls = fields.Boolean("parallel_tool_calls") ?? true ? int.MaxValue : 1;
        var choice = fields.Element(Choice);
        var tools = fields.Element("tools");
        if (tools is { } given && (given.ValueKind != JsonValueKind.Array || !given.EnumerateArray().All(IsDefinition)))
        {
            throw RequestFields.WrongType(
                "tools", given, "an array of {\"type\": \"function\", \"function\": {\"name\": …, \"parameters\": {…}}}");
        }

        var definitions = tools is { } some && some.GetArrayLength() > 0 ? (JsonArray)JsonTree.Of(some)! : null;
        JsonObject[] functions = [.. definitions?.Select(tool => tool!["function"]!.AsObject()) ?? []];
        switch (choice)
        {
            case { } none when Is(none, "none"):
                return new ChatTools(CallDemand.None, null, 0);
            case null:
            case { } auto when Is(auto, "auto"):
                return new ChatTools(definitions is null ? CallDemand.None : CallDemand.Auto, definitions, maxCalls);
            case { } required when Is(required, "required"):
                return functions.Length > 0
                    ? new ChatTools(CallDemand.Required, definitions, maxCalls) { Demand = ToolDemand.Any(functions, maxCalls) }
                    : throw ApiException.BadRequest($"'{Choice}' is required, but there are no 'tools' to call", Choice);
            case { } named:
                var name = NameOf(named);
                var function = Array.Find(functions, function => (string?)function["name"] == name)
                    ?? throw ApiException.BadRequest($"'{Choice}' names '{name}', which is none of the 'tools'", Choice);
                return new ChatTools(CallDemand.Named, definitions, 1) { Demand = ToolDemand.Of(function), Name = name };
        }
    }

    private static bool Is(JsonElement value, string text) => value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static string NameOf(JsonElement choice) =>
        choice.ValueKind == JsonValueKind.Object
        && choice.TryGetProperty("type", out var type) && Is(type, "function")
        && choice.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object
        && function.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
            ? RequestFields.Text(name, $"{Choice}.function.name")
            : throw RequestFields.WrongType(
                Choice, choice, "none, auto, required or {\"type\": \"function\", \"function\": {\"name\": …}}");

    private static bool IsDefinition(JsonElement tool) =>
        tool.ValueKind == JsonValueKind.Object
        && tool.TryGetProperty("type", out var type) && Is(type, "function")
        && tool.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object
        && function.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
        && (!function.TryGetProperty("parameters", out var parameters)
            || parameters.ValueKind is JsonValueKind.Object or JsonValueKind.Null);
}
