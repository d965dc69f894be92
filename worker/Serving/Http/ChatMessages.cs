using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads the <c>messages</c> of a chat request into what templates expect.</summary>
internal static class ChatMessages
{
    private const string Name = "messages";

    /// <summary>Checks every message, flattens content to text and past calls to <c>tool_calls</c>, and drops members that say
    /// nothing.</summary>
    public static JsonArray Read(RequestFields fields)
    {
        if (fields.Element(Name) is not { ValueKind: JsonValueKind.Array } messages || messages.GetArrayLength() == 0)
        {
            throw ApiException.BadRequest("'messages' is required: a non-empty array of {role, content} objects", Name);
        }

        var result = new JsonArray();
        var functions = new LegacyFunctions();
        foreach (var message in messages.EnumerateArray())
        {
            result.Add(One(message, $"{Name}[{result.Count}]", functions));
        }

        return result;
    }

    /// <exception cref="ApiException">Always; it names the place and says what should be there.</exception>
    public static ApiException Wrong(string path, string what) => ApiException.BadRequest($"'{path}' {what}", path);

    private static JsonObject One(JsonElement message, string path, LegacyFunctions functions)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(path, "must be an object");
        }

        if (!message.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String)
        {
            throw Wrong($"{path}.role", "must be a string such as 'user', 'assistant' or 'system'");
        }

        // Dumps of an SDK's messages have every member there is, and templates ask for members by name.
        var copy = new JsonObject();
        foreach (var member in message.EnumerateObject().Where(member => !IsEmpty(member)))
        {
            copy[member.Name] = member.Name == "content" ? MessageContent.Read(member.Value, $"{path}.content")
                : JsonTree.Of(member.Value);
        }

        functions.Replace(copy, path);
        copy["content"] ??= copy["refusal"] is JsonValue refusal && refusal.GetValueKind() == JsonValueKind.String
            ? (string)refusal! : null;
        if (copy["content"] is null && !copy.ContainsKey("tool_calls") && !role.ValueEquals("assistant"))
        {
            throw Wrong($"{path}.content", "is required: a string or an array of text parts");
        }

        // As in vLLM: many templates append the content unseen, and those that look take an empty one for none.
        copy["content"] ??= "";
        if (copy["tool_calls"] is { } calls)
        {
            PastCalls.Read(calls, $"{path}.tool_calls");
        }

        return copy;
    }

    private static bool IsEmpty(JsonProperty member) =>
        member.Value.ValueKind == JsonValueKind.Null
        || member.Name != "content" && member.Value.ValueKind == JsonValueKind.Array && member.Value.GetArrayLength() == 0;
}
