namespace Cluster.Worker.Serving.Http;

internal sealed record TokenizeResponse(int Count, int MaxModelLen, IReadOnlyList<int> Tokens, IReadOnlyList<string?>? TokenStrs);

internal sealed record DetokenizeResponse(string Prompt);

/// <summary><c>POST /tokenize</c> and <c>/detokenize</c>: what a text costs, and back, without a client-side tokenizer.</summary>
internal static class TokenizeEndpoints
{
    public static async Task TokenizeAsync(HttpContext context, ServingState state)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await RequestFields.ReadAsync(context.Request, context.RequestAborted);
        ServingRequest.RequireName(model, fields.String("model"));
        IReadOnlyList<int> tokens;
        if (fields.String("prompt") is { } prompt)
        {
            tokens = PromptEncoding.Count(model, prompt, fields.Boolean("add_special_tokens") ?? true, "prompt");
        }
        else if (fields.Element("messages") is not null)
        {
            var (text, addSpecialTokens) = ChatPrompt.Read(fields, model, ChatTools.Read(fields).Definitions);
            tokens = PromptEncoding.Count(model, text, addSpecialTokens, "messages");
        }
        else
        {
            throw ApiException.BadRequest("'prompt' (a text) or 'messages' is required", "prompt");
        }

        var texts = fields.Boolean("return_token_strs") ?? false ? tokens.Select(model.Tokenizer.IdToToken).ToArray() : null;
        fields.RejectUnread();
        await context.Response.WriteAsJsonAsync(
            new TokenizeResponse(tokens.Count, model.Engine.MaxModelLength, tokens, texts), ApiJson.Options, context.RequestAborted);
    }

    public static async Task DetokenizeAsync(HttpContext context, ServingState state)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await RequestFields.ReadAsync(context.Request, context.RequestAborted);
        ServingRequest.RequireName(model, fields.String("model"));
        var tokens = fields.Integers("tokens");
        fields.RejectUnread();
        foreach (var id in tokens)
        {
            if (id < 0 || id >= model.Tokenizer.VocabSize)
            {
                throw ApiException.BadRequest($"'tokens' holds {id}; ids are 0 to {model.Tokenizer.VocabSize - 1}", "tokens");
            }
        }

        await context.Response.WriteAsJsonAsync(
            new DetokenizeResponse(model.Tokenizer.Decode([.. tokens], skipSpecialTokens: false)), ApiJson.Options, context.RequestAborted);
    }
}
