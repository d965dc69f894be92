using System.Text;
using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>The <c>content</c> of a message as one text. Read by <see cref="ChatMessages"/>.</summary>
internal static class MessageContent
{
    /// <summary>What parts that are no text would be read by.</summary>
    private static readonly Dictionary<string, string> Towers = new(StringComparer.Ordinal)
    {
        ["image"] = "images",
        ["image_url"] = "images",
        ["input_image"] = "images",
        ["image_pil"] = "images",
        ["image_embeds"] = "images",
        ["video"] = "videos",
        ["video_url"] = "videos",
        ["input_video"] = "videos",
        ["audio"] = "sound",
        ["audio_url"] = "sound",
        ["input_audio"] = "sound",
        ["file"] = "files",
        ["input_file"] = "files",
    };

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
        var kind = part.ValueKind == JsonValueKind.Object
            && part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
            ? RequestFields.Text(type, $"{path}.type")
            : null;
        if (Towers.TryGetValue(kind ?? "", out var tower))
        {
            throw ChatMessages.Wrong(
                path,
                $"is of type '{kind}': this model's text is served, a tower for {tower} is not; "
                + "send {\"type\": \"text\", \"text\": …}");
        }

        var member = kind switch
        {
            "text" or "input_text" or "output_text" => "text",
            "refusal" => "refusal",
            _ => null,
        };
        return member is not null && part.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? RequestFields.Text(value, $"{path}.{member}")
            : throw ChatMessages.Wrong(path, "must be {\"type\": \"text\", \"text\": …}: this model reads text only");
    }
}
