using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving;

/// <summary>ChatML without Jinja; refuses the role <c>alien</c> and begins with the request's own variables.</summary>
internal sealed class FakeChatTemplate : IChatTemplate
{
    public string Render(
        JsonArray messages, JsonArray? tools, bool addGenerationPrompt, JsonObject? variables = null, DateTimeOffset? now = null)
    {
        var turns = messages.Select(message => (string?)message!["role"] == "alien"
            ? throw new ChatTemplateException("line 1: unknown role 'alien'")
            : $"<|im_start|>{message["role"]}\n{message["content"]}<|im_end|>\n");
        return variables?.ToJsonString() + string.Concat(turns) + (addGenerationPrompt ? "<|im_start|>assistant\n" : "");
    }
}
