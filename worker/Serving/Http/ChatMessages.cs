using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads the <c>messages</c> of a chat request into what templates expect.</summary>
internal static class ChatMessages
{
    private const string Name = "messages";

    /// <summary>Checks every message and flattens content parts to text.</summary>
    public static JsonArray Read(RequestFields fields)
    {
        if (fields.Element(Name) is not { ValueKind: JsonValueKind.Array } messages || messages.GetArrayLength() == 0)
        {
            throw ApiException.BadRequest("'messages' is required: a non-empty array of {role, content} objects", Name);
        }

        var result = new JsonArray();
        foreach (var message in messages.EnumerateArray())
        {
            result.Add(One(message, result.Count));
        }

        return result;
    }

    private static JsonObject One(JsonElement message, int index)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(index, "must be an object", "");
        }

        var copy = JsonObject.Create(message.Clone())!;
        if (!message.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String)
        {
            throw Wrong(index, "must be a string such as 'user', 'assistant' or 'system'", ".role");
        }

        copy["content"] = message.TryGetProperty("content", out var content) ? Content(content, index) : null;
        if (copy["content"] is null && !copy.ContainsKey("tool_calls"))
        {
            throw Wrong(index, "is required: a string or an array of text parts", ".content");
        }

        // As in vLLM: many templates append the content unseen, and those that look take an empty one for none.
        copy["content"] ??= "";
        if (copy["tool_calls"] is { } calls)
        {
            ReadArguments(calls, index);
        }

        return copy;
    }

    /// <summary>OpenAI carries the arguments of a past call as JSON text; templates want the object itself.</summary>
    private static void ReadArguments(JsonNode calls, int index)
    {
        if (calls is not JsonArray array)
        {
            throw Wrong(index, "must be an array", ".tool_calls");
        }

        for (var i = 0; i < array.Count; i++)
        {
            var path = $".tool_calls[{i}].function";
            if (array[i] is not JsonObject call
                || call["function"] is not JsonObject function
                || function["name"]?.GetValueKind() != JsonValueKind.String)
            {
                throw Wrong(index, "must be an object with a name and arguments", path);
            }

            if (function["arguments"] is not JsonValue arguments || arguments.GetValueKind() != JsonValueKind.String)
            {
                continue;
            }

            try
            {
                function["arguments"] = JsonNode.Parse(
                    arguments.GetValue<string>(), documentOptions: new JsonDocumentOptions { MaxDepth = ApiJson.MaxDepth }) as JsonObject
                    ?? throw new JsonException("it is no object");
            }
            catch (Exception exception) when (exception is JsonException or InvalidOperationException or ArgumentException)
            {
                throw Wrong(index, $"must be a JSON object as text: {exception.Message}", $"{path}.arguments");
            }
        }
    }

    private static string? Content(JsonElement content, int index)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.String:
                return Text(content, index, ".content");
            case JsonValueKind.Array:
                var text = new StringBuilder();
                var parts = 0;
                foreach (var part in content.EnumerateArray())
                {
                    if (part.ValueKind != JsonValueKind.Object
                        || !part.TryGetProperty("type", out var type)
                        || type.ValueKind != JsonValueKind.String
                        || !type.ValueEquals("text")
                        || !part.TryGetProperty("text", out var value)
                        || value.ValueKind != JsonValueKind.String)
                    {
                        throw Wrong(index, "must be {\"type\": \"text\", \"text\": …}: this model reads text only", $".content[{parts}]");
                    }

                    text.Append(parts++ == 0 ? "" : "\n").Append(Text(value, index, $".content[{parts - 1}].text"));
                }

                return text.ToString();
            default:
                throw Wrong(index, "must be a string or an array of text parts", ".content");
        }
    }

    private static string Text(JsonElement value, int index, string path)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong(index, "is not valid Unicode text", path);
        }
    }

    private static ApiException Wrong(int index, string what, string path) =>
        ApiException.BadRequest($"'messages[{index}]{path}' {what}", $"messages[{index}]{path}");
}
