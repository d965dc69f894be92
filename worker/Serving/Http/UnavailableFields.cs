using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>Fields of vLLM's requests that this server has nothing for. Clients send some of them with the value that changes nothing; that
/// value is accepted, any other refused with the reason.</summary>
internal static class UnavailableFields
{
    /// <summary>Of every generating request. Called by <see cref="SamplingFields"/>.</summary>
    public static void RefuseUnavailable(this RequestFields fields)
    {
        fields.Refuse(
            "logits_processors",
            "a request brings no code to run here; logit_bias, bad_words, allowed_token_ids and structured_outputs say which tokens may "
            + "come",
            IsEmpty);
        fields.Refuse("detokenize", "outputs are text", Is(JsonValueKind.True));
        fields.Refuse(
            "spaces_between_special_tokens", "special tokens have no spaces between them but the text's own", Is(JsonValueKind.True));
        fields.Refuse("return_tokens_as_token_ids", "log-probabilities name tokens by their text", Is(JsonValueKind.False));
        fields.Refuse("return_token_ids", "/tokenize gives the ids of a text", Is(JsonValueKind.False));
    }

    /// <summary>Of chat requests.</summary>
    public static void RefuseUnavailableToChat(this RequestFields fields)
    {
        fields.Refuse("modalities", "this model writes text only", value => value.GetRawText() == "[\"text\"]");
        fields.Refuse("echo", "use /v1/completions to have a prompt repeated", Is(JsonValueKind.False));
        fields.Refuse("documents", "put them into the messages", IsEmpty);
        fields.Refuse(
            "verbosity", "it must be low, medium or high; the model's template and the prompt decide how long an answer gets",
            value => value.ValueKind == JsonValueKind.String && value.GetString() is "low" or "medium" or "high");
        fields.Refuse("chat_template", "the checkpoint's own is used");
    }

    private static Func<JsonElement, bool> Is(JsonValueKind kind) => value => value.ValueKind == kind;

    private static bool IsEmpty(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0;
}
