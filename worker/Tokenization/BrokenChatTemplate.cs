using System.Text.Json.Nodes;

namespace Cluster.Worker.Tokenization;

/// <summary>Stands for a template that cannot be read: completions need none, and whoever chats is told the reason.</summary>
internal sealed class BrokenChatTemplate(string reason) : IChatTemplate
{
    /// <exception cref="ChatTemplateException">Always.</exception>
    public string Render(
        JsonArray messages, JsonArray? tools, bool addGenerationPrompt, JsonObject? variables = null, DateTimeOffset? now = null) =>
        throw new ChatTemplateException($"the model's chat template cannot be used; use /v1/completions. {reason}");
}
