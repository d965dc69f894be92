using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Commands;

/// <summary>A file of prompts: one per line, or JSON Lines of texts and of objects with <c>prompt</c> or <c>messages</c>. Read by
/// <see cref="GenerateMany"/>.</summary>
/// <param name="Label">What answers repeat of the prompt: its text, or the messages.</param>
/// <param name="Text">Null for a conversation.</param>
/// <param name="Chat">Null for a text.</param>
internal sealed record PromptsFile(JsonNode Label, string? Text, JsonObject? Chat)
{
    private const string JsonLines = ".jsonl";

    /// <param name="file">Lines without anything on them are passed over.</param>
    /// <param name="chat">Whether a text is a user's message.</param>
    /// <exception cref="FormatException">A line is neither a text nor such an object; the message names it.</exception>
    public static IReadOnlyList<PromptsFile> Read(string file, bool chat)
    {
        var isJson = file.EndsWith(JsonLines, StringComparison.OrdinalIgnoreCase);
        return
        [
            .. File.ReadLines(file).Index().Where(line => !string.IsNullOrWhiteSpace(line.Item))
                .Select(line => isJson ? OfJson(line.Item, chat, $"{file} line {line.Index + 1}") : OfText(line.Item, chat)),
        ];
    }

    private static PromptsFile OfText(string text, bool chat) =>
        chat ? new PromptsFile(text, null, ServedPrompt.Question(text)) : new PromptsFile(text, text, null);

    private static PromptsFile OfJson(string line, bool chat, string place)
    {
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(line);
        }
        catch (JsonException exception)
        {
            throw new FormatException($"{place}: is not valid JSON: {exception.Message}", exception);
        }

        return node switch
        {
            JsonValue value when value.TryGetValue(out string? text) => OfText(text, chat),
            JsonObject { Count: 1 } one when one["prompt"] is JsonValue value && value.TryGetValue(out string? text) => OfText(text, chat),
            JsonObject { Count: 1 } one when one["messages"] is JsonArray messages =>
                new PromptsFile(messages.DeepClone(), null, one),
            _ => throw new FormatException(
                $"{place}: expected a text, or an object with 'prompt' or 'messages' and nothing else; run-batch takes parameters for each "
                + "request"),
        };
    }
}
