using System.Text;
using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>The <c>content</c> of a message as one text. Read by <see cref="ChatMessages"/>.</summary>
internal static class MessageContent
{
    /// <param name="path">Of the content, for messages.</param>
    /// <exception cref="ApiException">It is neither a text nor parts of text.</exception>
    public static string Read(JsonElement content, string path)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                return RequestFields.Text(content, path);
            case JsonValueKind.Array:
                var text = new StringBuilder();
                var parts = 0;
                foreach (var part in content.EnumerateArray())
                {
                    text.Append(parts == 0 ? "" : "\n").Append(Part(part, $"{path}[{parts}]"));
                    parts++;
                }

                return text.ToString();
            default:
                throw ChatMessages.Wrong(path, "must be a string or an array of text parts");
        }
    }

    private static string Part(JsonElement part, string path)
    {
        if (part.ValueKind == JsonValueKind.String)
        {
            return RequestFields.Text(part, path);
        }

        // Of the chat API, of the responses API, and what an answer may have been instead.
        var member = part.ValueKind == JsonValueKind.Object
            && part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
            ? type.GetString() switch
            {
                "text" or "input_text" or "output_text" => "text",
                "refusal" => "refusal",
                _ => null,
            }
            : null;
        return member is not null && part.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? RequestFields.Text(value, $"{path}.{member}")
            : throw ChatMessages.Wrong(path, "must be {\"type\": \"text\", \"text\": …}: this model reads text only");
    }
}
