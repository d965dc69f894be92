using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>Histories of OpenAI's first API for functions, of which templates know nothing: <c>function_call</c> becomes a tool call, and
/// the role <c>function</c> a tool's answer to the last call of that name. One for each conversation; used by
/// <see cref="ChatMessages"/>.</summary>
internal sealed class LegacyFunctions
{
    private readonly Dictionary<string, string> _callIds = new(StringComparer.Ordinal);
    private int _numCalls;

    /// <param name="message">Changed where it is of that API.</param>
    /// <param name="path">Of the message, for errors.</param>
    /// <exception cref="ApiException">A call or an answer has no name.</exception>
    public void Replace(JsonObject message, string path)
    {
        if (message["function_call"] is { } call && !message.ContainsKey("tool_calls"))
        {
            var name = Name((call as JsonObject)?["name"]) ?? throw ChatMessages.Wrong(
                $"{path}.function_call", "must be an object with a name and arguments");

            // Nine letters and digits: Mistral's templates take no other id.
            var id = $"call{_numCalls++:D5}";
            _callIds[name] = id;
            message["tool_calls"] = new JsonArray(
                new JsonObject { ["id"] = id, ["type"] = "function", ["function"] = call.DeepClone() });
        }

        message.Remove("function_call");
        if (Name(message["role"]) == "function")
        {
            var name = Name(message["name"]) ?? throw ChatMessages.Wrong($"{path}.name", "must be the name of the function");
            message["role"] = "tool";
            if (_callIds.TryGetValue(name, out var id))
            {
                message["tool_call_id"] = id;
            }
        }
    }

    private static string? Name(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? (string?)node : null;
}
