using System.Runtime.InteropServices;
using System.Text.Json;
using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving;

/// <summary>Turns the texts of requests into tokens, and never more of a text than the model could take: a text that cannot fit costs
/// what one that fits costs, not what its length costs. Called by every endpoint that takes text.</summary>
internal static class PromptEncoding
{
    /// <summary>Characters that are encoded in one go, whatever the model's length.</summary>
    private const int MinPrefix = 4096;

    /// <summary>More than languages and code have on average: most prompts that fit are encoded in one go.</summary>
    private const int CharactersPerToken = 8;

    /// <summary>Longest text that <c>/tokenize</c> takes whatever the model's length.</summary>
    private const int MinCountable = 1 << 20;

    /// <summary>Tokens near a cut may be others than those of the whole text.</summary>
    private const int CutMargin = 64;

    /// <summary>Most bytes that JSON writes for one character of a string.</summary>
    private const int EscapedBytes = 6;

    /// <summary>Bytes of JSON that need not be text: names, roles, brackets.</summary>
    private const int StructureBytes = 1 << 20;

    /// <summary>Refuses what cannot fit by its size in the body, before anything is made of it.</summary>
    /// <param name="value">The field with a text, or with a conversation.</param>
    /// <exception cref="PromptTooLongException">Even the longest tokens would be too many.</exception>
    public static void RequirePossible(ServedModel model, JsonElement value, string parameter)
    {
        var longest = model.Engine.MaxPromptLength;
        var bytes = JsonMarshal.GetRawUtf8Value(value).Length;
        if (bytes > EscapedBytes * (double)longest * model.Tokenizer.MaxTokenLength + StructureBytes)
        {
            throw TooLong(model, $"its {bytes} bytes are more than {longest} tokens can be", parameter);
        }
    }

    /// <summary>A prompt for the model.</summary>
    /// <param name="parameter">The field with the text, for errors.</param>
    /// <param name="kept">Tokens to keep of the prompt's end (<see cref="PromptTruncation"/>); null keeps all.</param>
    /// <exception cref="PromptTooLongException">All are to be kept, and there are too many.</exception>
    public static IReadOnlyList<int> Encode(
        ServedModel model, string text, bool addSpecialTokens, string parameter, int? kept = null)
    {
        if (kept is { } count)
        {
            return PromptTruncation.Apply(EncodeEnd(model.Tokenizer, text, addSpecialTokens, count), count);
        }

        RequireRoom(model, text, addSpecialTokens, parameter);
        return model.Tokenizer.Encode(text, addSpecialTokens);
    }

    /// <summary>Tokens of a text for their own sake, which may be more than the model takes.</summary>
    /// <exception cref="InvalidRequestException">The text is too long to be counted in one request.</exception>
    public static IReadOnlyList<int> Count(ServedModel model, string text, bool addSpecialTokens, string parameter)
    {
        var longest = Math.Max(MinCountable, (long)model.Engine.MaxModelLength * CharactersPerToken);
        return text.Length <= longest
            ? model.Tokenizer.Encode(text, addSpecialTokens)
            : throw new InvalidRequestException(
                $"{parameter} has {text.Length} characters; one request can tokenize at most {longest}: send it in parts", parameter);
    }

    /// <summary>The first check is vLLM's; the second finds what it lets through after encoding a part of the text.</summary>
    private static void RequireRoom(ServedModel model, string text, bool addSpecialTokens, string parameter)
    {
        var longest = model.Engine.MaxPromptLength;
        var characters = (long)longest * model.Tokenizer.MaxTokenLength;
        if (text.Length > characters)
        {
            throw TooLong(model, $"its {text.Length} characters are more than {longest} tokens can be", parameter);
        }

        var enough = longest + longest / 4 + CutMargin;
        for (var length = Math.Max(MinPrefix, (long)longest * CharactersPerToken); length < text.Length; length *= 2)
        {
            var prefix = text[..Boundary(text, (int)length)];
            if (model.Tokenizer.Encode(prefix, addSpecialTokens).Count > enough)
            {
                throw TooLong(model, $"its first {length} of {text.Length} characters have more than that", parameter);
            }
        }
    }

    private static PromptTooLongException TooLong(ServedModel model, string why, string parameter) => new(
        $"this model's maximum context length is {model.Engine.MaxModelLength} tokens, prompt and output together, but the prompt is "
        + $"longer: {why}; shorten it to at most {model.Engine.MaxPromptLength} tokens", parameter);

    /// <summary>At least the last <paramref name="count"/> tokens and one more, or all there are.</summary>
    private static IReadOnlyList<int> EncodeEnd(ITokenizer tokenizer, string text, bool addSpecialTokens, int count)
    {
        var start = text.Length - ((long)count + CutMargin) * tokenizer.MaxTokenLength;
        if (start > 0
            && tokenizer.Encode(text[Boundary(text, (int)start)..], addSpecialTokens) is var end
            && end.Count > count + CutMargin / 2)
        {
            return end;
        }

        return tokenizer.Encode(text, addSpecialTokens);
    }

    /// <summary>This place in the text, or the one before, where it would be inside a character.</summary>
    private static int Boundary(string text, int at) => char.IsLowSurrogate(text[at]) ? at - 1 : at;
}
