using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Serving;

/// <summary>Turns prompts that come from this process into the tokens that the HTTP API would make of them, by the same reading.</summary>
internal static class ServedPrompt
{
    /// <summary>As <c>/v1/completions</c> reads a text.</summary>
    public static IReadOnlyList<int> OfText(ServedModel model, string text) =>
        PromptEncoding.Encode(model, text, addSpecialTokens: true, "prompt");

    /// <summary>As <c>/v1/chat/completions</c> reads a conversation.</summary>
    /// <param name="request">With <c>messages</c>, and other fields of that endpoint that say how the template is to be
    /// rendered.</param>
    /// <exception cref="ApiException">It is no conversation, or the model has no template.</exception>
    public static IReadOnlyList<int> OfChat(ServedModel model, JsonObject request)
    {
        using var fields = RequestFields.Of(JsonDocument.Parse(request.ToJsonString()));
        var (text, addSpecialTokens) = ChatPrompt.Read(fields, model, ChatTools.Read(fields).Definitions);
        var prompt = PromptEncoding.Encode(model, text, addSpecialTokens, "messages");
        fields.RejectUnread();
        return prompt;
    }

    /// <summary>The conversation that is one message of a user.</summary>
    public static JsonObject Question(string text) => new()
    {
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }),
    };
}
