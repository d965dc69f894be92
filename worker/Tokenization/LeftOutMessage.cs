using System.Text.Json.Nodes;

namespace Cluster.Worker.Tokenization;

/// <summary>Finds the message that a template does not write. A template whose branches take no role of the kind says nothing: the model
/// would answer a conversation that is not the caller's. Used by <see cref="ChatTemplate"/>.</summary>
internal static class LeftOutMessage
{
    /// <summary>Letters and digits only, so that no filter of a template changes more than their case.</summary>
    private const string Mark = "qzmessage";

    /// <summary>Renders the conversation with a mark in place of each text, and looks for the marks.</summary>
    /// <param name="render">Renders another conversation as this one was.</param>
    /// <returns>The message's index; null when the template writes every one.</returns>
    public static int? Find(JsonArray messages, Func<JsonArray, string> render)
    {
        string text;
        try
        {
            text = render([.. messages.Select((message, index) => Marked(message!, MarkOf(index)))]);
        }
        catch (ChatTemplateException)
        {
            // It took the real texts and not the marks: it reads them, so it leaves none out unseen.
            return null;
        }

        var missing = Enumerable.Range(0, messages.Count)
            .Where(index => !text.Contains(MarkOf(index), StringComparison.OrdinalIgnoreCase)).Cast<int?>();
        return missing.FirstOrDefault();
    }

    private static string MarkOf(int index) => $"{Mark}{index}z";

    /// <summary>A template may write the calls of a message and not its text, or know no calls and write the text alone.</summary>
    private static JsonNode Marked(JsonNode message, string mark)
    {
        var copy = message.DeepClone();
        foreach (var call in copy["tool_calls"] as JsonArray ?? [])
        {
            if (call?["function"] is JsonObject function)
            {
                function["name"] = mark;
                function["arguments"] = new JsonObject();
            }
        }

        copy["content"] = mark;
        return copy;
    }
}
