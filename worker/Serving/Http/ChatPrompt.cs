using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Http;

/// <summary>Turns the conversation of a request into a text with the checkpoint's template. Called by
/// <see cref="ChatCompletionsEndpoint"/>, <see cref="TokenizeEndpoints"/> and <see cref="ServedPrompt"/>, for whom
/// <see cref="PromptEncoding"/> makes tokens of it.</summary>
internal static class ChatPrompt
{
    private const string Continue = "continue_final_message";
    private const string Generate = "add_generation_prompt";
    private const string Variables = "chat_template_kwargs";

    /// <param name="tools">Their definitions; null when the model is to know of none.</param>
    /// <param name="kept">Tokens to keep of the prompt's end (<see cref="PromptTruncation"/>); null keeps all, so that all must
    /// fit.</param>
    /// <param name="now">What the template takes for now; null for the clock's time.</param>
    /// <returns>The text, and whether special tokens are to be added to those that the template has written itself.</returns>
    /// <exception cref="ApiException">There is no template, no conversation, or nothing to continue.</exception>
    public static (string Text, bool AddSpecialTokens) Read(
        RequestFields fields, ServedModel model, JsonArray? tools, int? kept = null, DateTimeOffset? now = null)
    {
        if (kept is null && fields.Element("messages") is { } conversation)
        {
            PromptEncoding.RequirePossible(model, conversation, "messages");
        }

        var messages = ChatMessages.Read(fields);
        if (model.ChatTemplate is not { } template)
        {
            throw ApiException.BadRequest($"the model '{model.Name}' has no chat template; use /v1/completions", "messages");
        }

        var continues = fields.Boolean(Continue) ?? false;
        var generates = fields.Boolean(Generate) ?? !continues;
        if (continues && generates)
        {
            throw ApiException.BadRequest(
                $"'{Continue}' and '{Generate}' cannot be used together: either the last message is continued or a new one is started",
                Continue);
        }

        var variables = fields.Element(Variables) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Object } given => (JsonObject)JsonTree.Of(given)!,
            { } other => throw RequestFields.WrongType(Variables, other, "an object of the template's variables"),
        };
        var text = Render(template, messages, tools, generates, ReasoningFields.AddTo(variables, fields), now);
        return (
            continues ? UpToFinal(text, (string)messages[^1]!["content"]!) : text, fields.Boolean("add_special_tokens") ?? false);
    }

    /// <summary>Some templates write arguments as they come, others go through their members: arguments that are no object are text to the
    /// first and none to the others.</summary>
    private static string Render(
        IChatTemplate template, JsonArray messages, JsonArray? tools, bool generates, JsonObject? variables, DateTimeOffset? now)
    {
        try
        {
            return template.Render(messages, tools, generates, variables, now);
        }
        catch (ChatTemplateException refused) when (PastCalls.WithoutText(messages) is { } other)
        {
            try
            {
                return template.Render(other, tools, generates, variables, now);
            }
            catch (ChatTemplateException)
            {
                throw new ChatTemplateException(refused.Message, refused);
            }
        }
    }

    /// <summary>The prompt without what the template wrote behind the last message, so that the model goes on with it. As in transformers,
    /// a template may have trimmed that message.</summary>
    private static string UpToFinal(string text, string final)
    {
        var trimmed = final.Trim();
        var start = trimmed.Length == 0 ? -1 : text.LastIndexOf(trimmed, StringComparison.Ordinal);
        if (start < 0)
        {
            throw ApiException.BadRequest($"'{Continue}' needs a last message with a text that the model's template writes out", Continue);
        }

        var whole = final.TrimStart();
        return text[..(start + (text.AsSpan(start).StartsWith(whole, StringComparison.Ordinal) ? whole : trimmed).Length)];
    }
}
