using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>The calls that a message of the history made. OpenAI carries their arguments as JSON text; templates want the object itself.
/// Read by <see cref="ChatMessages"/>, and by <see cref="ChatPrompt"/> where a template cannot take text.</summary>
internal static class PastCalls
{
    /// <summary>Puts objects in place of arguments that are one, as text or not. No arguments are an empty object. A model may have been
    /// cut off within them: what is no JSON object stays text, and does not end the conversation.</summary>
    /// <param name="calls">Of one message; changed.</param>
    /// <param name="path">Of the calls, for messages.</param>
    /// <exception cref="ApiException">A call has no name.</exception>
    public static void Read(JsonNode calls, string path)
    {
        if (calls is not JsonArray array)
        {
            throw ChatMessages.Wrong(path, "must be an array");
        }

        for (var i = 0; i < array.Count; i++)
        {
            if (array[i] is not JsonObject call
                || call["function"] is not JsonObject function
                || function["name"]?.GetValueKind() != JsonValueKind.String)
            {
                throw ChatMessages.Wrong($"{path}[{i}].function", "must be an object with a name and arguments");
            }

            function["arguments"] = Arguments(function["arguments"]);
        }
    }

    /// <summary>The conversation with an empty object for all arguments that are text; null when none are.</summary>
    public static JsonArray? WithoutText(JsonArray messages)
    {
        var copy = (JsonArray)messages.DeepClone();
        var changed = false;
        foreach (var function in copy.SelectMany(message => message!["tool_calls"] as JsonArray ?? [])
            .Select(call => call!["function"]!.AsObject()))
        {
            if (function["arguments"] is not JsonObject)
            {
                function["arguments"] = new JsonObject();
                changed = true;
            }
        }

        return changed ? copy : null;
    }

    private static JsonNode Arguments(JsonNode? given)
    {
        if (given is null)
        {
            return new JsonObject();
        }

        if (given.GetValueKind() != JsonValueKind.String)
        {
            return given is JsonObject ? given.DeepClone() : given.ToJsonString();
        }

        var text = given.GetValue<string>();
        if (text.Trim() is "" or "null")
        {
            return new JsonObject();
        }

        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = ApiJson.MaxDepth });
            return document.RootElement.ValueKind == JsonValueKind.Object ? JsonTree.Of(document.RootElement)! : text;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return text;
        }
    }
}
