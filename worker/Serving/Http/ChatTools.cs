using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>The tools of a chat request, and whether the model may call them. Read by <see cref="ChatCompletionsEndpoint"/>.</summary>
/// <param name="Definitions">What the template renders; null when the model is to know of no tools.</param>
/// <param name="MaxCalls">Most calls an answer may hold.</param>
internal sealed record ChatTools(JsonArray? Definitions, int MaxCalls)
{
    /// <exception cref="ApiException">A definition has not the shape of one, or a call is demanded, which cannot be promised.</exception>
    public static ChatTools Read(RequestFields fields)
    {
        fields.Refuse("tool_choice", "the model may only be left free to choose ('auto') or kept from calling ('none')", value => Is(value, "auto") || Is(value, "none"));
        var maxCalls = fields.Boolean("parallel_tool_calls") ?? true ? int.MaxValue : 1;
        if (fields.Element("tools") is not { } tools)
        {
            return new ChatTools(null, maxCalls);
        }

        if (tools.ValueKind != JsonValueKind.Array || !tools.EnumerateArray().All(IsDefinition))
        {
            throw RequestFields.WrongType("tools", tools, "an array of {\"type\": \"function\", \"function\": {\"name\": …}}");
        }

        var none = fields.Element("tool_choice") is { } choice && Is(choice, "none");
        return new ChatTools(none || tools.GetArrayLength() == 0 ? null : JsonArray.Create(tools.Clone()), maxCalls);
    }

    /// <summary>A parser for one answer; null when all of it is text.</summary>
    public ToolCallParser? CreateParser() => Definitions is null ? null : new ToolCallParser(MaxCalls);

    private static bool Is(JsonElement value, string text) => value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static bool IsDefinition(JsonElement tool) =>
        tool.ValueKind == JsonValueKind.Object
        && tool.TryGetProperty("type", out var type) && Is(type, "function")
        && tool.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object
        && function.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String;
}
