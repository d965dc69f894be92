using System.Text;
using System.Text.Json;

namespace Cluster.Operator.Gateway.Http;

/// <summary>What the gateway must know of a request's body: whom it is for, what it begins with, and how long it may become. Everything
/// else is the worker's business, to which the body goes as it came.</summary>
/// <param name="Model">Null where the body names none.</param>
/// <param name="Prompt">What the worker's prompt is made of, in its order: the same bytes make the same tokens.</param>
/// <param name="PromptTokens">An estimate.</param>
/// <param name="MaxTokens">Of all sequences together; an estimate where the body does not say.</param>
/// <param name="CacheSalt">Cached prefixes are shared only under the same one.</param>
internal sealed record RequestFacts(
    string? Model, bool Stream, ReadOnlyMemory<byte> Prompt, int PromptTokens, int MaxTokens, int Sequences, string? CacheSalt)
{
    /// <summary>Deeper bodies are refused: no request of any client is.</summary>
    private const int MostDepth = 128;

    private const int BytesPerToken = 4;
    private const int LikelyTokens = 256;
    private const int MostSequences = 1024;

    private static readonly string[] ConversationParts =
        ["tools", "functions", "chat_template_kwargs", "reasoning_effort", "documents", "messages", "prompt", "inputs", "content"];

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MostDepth };

    /// <exception cref="GatewayException">The body is no JSON object, or a field has a wrong type.</exception>
    public static RequestFacts Read(PathString path, ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw GatewayException.BadRequest($"the body must be a JSON object, not {Spell(root.ValueKind)}");
            }

            var parameters = root.TryGetProperty("parameters", out var inner) && inner.ValueKind == JsonValueKind.Object ? inner : root;
            var (prompt, tokens) = ReadPrompt(root);
            var sequences = Math.Clamp(
                (Integer(parameters, "best_of") ?? Integer(root, "n") ?? 1) * Prompts(root), 1, MostSequences);
            var each = Integer(root, "max_completion_tokens") ?? Integer(root, "max_tokens") ?? Integer(parameters, "max_new_tokens");
            return new RequestFacts(
                Text(root, "model"),
                path == "/generate_stream" || Flag(root, "stream"),
                prompt,
                tokens,
                (int)Math.Min(int.MaxValue, (long)Math.Max(0, each ?? LikelyTokens) * sequences),
                sequences,
                Text(root, "cache_salt"));
        }
        catch (JsonException wrong)
        {
            throw GatewayException.BadRequest($"the body is no valid JSON: {wrong.Message}");
        }
    }

    private static (byte[] Prompt, int Tokens) ReadPrompt(JsonElement root)
    {
        var bytes = new MemoryStream();
        var tokens = 0;
        foreach (var name in ConversationParts)
        {
            if (root.TryGetProperty(name, out var part))
            {
                bytes.Write(Encoding.UTF8.GetBytes(name));
                bytes.WriteByte(0);
                var text = Encoding.UTF8.GetBytes(part.GetRawText());
                bytes.Write(text);
                tokens += IsTokens(part) ? part.GetArrayLength() : text.Length / BytesPerToken;
            }
        }

        return (bytes.ToArray(), Math.Max(1, tokens));
    }

    /// <summary>How many prompts a completion has.</summary>
    private static int Prompts(JsonElement root) =>
        root.TryGetProperty("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.Array && !IsTokens(prompt)
            ? Math.Clamp(prompt.GetArrayLength(), 1, MostSequences)
            : 1;

    private static bool IsTokens(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value[0].ValueKind == JsonValueKind.Number;

    private static string? Text(JsonElement from, string name)
    {
        if (!from.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            throw GatewayException.BadRequest($"'{name}' must be a string, not {Spell(value.ValueKind)}", name);
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            throw GatewayException.BadRequest($"'{name}' is no text: it has half a character", name);
        }
    }

    private static bool Flag(JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    /// <summary>A wrong number is the worker's to refuse, in its words.</summary>
    private static int? Integer(JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : null;

    private static string Spell(JsonValueKind kind) => kind switch
    {
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        JsonValueKind.Array => "an array",
        JsonValueKind.Object => "an object",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "a string",
        _ => "null",
    };
}
