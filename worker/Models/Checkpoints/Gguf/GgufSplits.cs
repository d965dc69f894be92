using System.Collections.Immutable;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>How text is split before BPE, which a GGUF file only names (<c>tokenizer.ggml.pre</c>). Patterns: those of the tokenizer.json
/// that the names stand for; names: llama.cpp's <c>llama-vocab.cpp</c>.</summary>
/// <param name="Patterns">One after the other; each match is a word of its own.</param>
/// <param name="IgnoresMerges">A word that is a token is that token, whatever its merges give.</param>
internal sealed record GgufSplits(ImmutableArray<string> Patterns, bool IgnoresMerges = false)
{
    public const string Key = "tokenizer.ggml.pre";

    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Spaces = @"\s+(?!\S)|\s+";
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|" + Spaces;
    private const string Gpt4Tail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|" + Spaces;
    private const string Gpt4Head = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string CasedTail = @"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|" + Spaces;
    private const string UpperLower = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+";
    private const string UpperFirst = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*";

    private static readonly GgufSplits Gpt2 = new([Gpt2Pattern]);
    private static readonly GgufSplits Digits = new([@"\p{N}", Gpt2Pattern]);
    private static readonly GgufSplits Llama3 = new([Gpt4Head + @"\p{N}{1,3}" + Gpt4Tail], IgnoresMerges: true);
    private static readonly GgufSplits Gpt4 = new([Gpt4Head + @"\p{N}{1,3}" + Gpt4Tail]);
    private static readonly GgufSplits Qwen = new([Gpt4Head + @"\p{N}" + Gpt4Tail]);
    private static readonly GgufSplits Tekken = new([$@"{UpperLower}|{UpperFirst}|\p{{N}}{CasedTail}"], IgnoresMerges: true);
    private static readonly GgufSplits Gpt4O =
        new([$@"{UpperLower}{Contractions}?|{UpperFirst}{Contractions}?|\p{{N}}{{1,3}}{CasedTail}"]);

    private static readonly GgufSplits DeepSeekCoder =
        new([@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", @"\p{N}"]);

    private static readonly GgufSplits DeepSeek3 = new([
        @"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|"
        + Spaces]);

    private static readonly GgufSplits Falcon = new([@"[\p{P}\$\+<=>\^~\|`]+", Gpt2Pattern, "[0-9][0-9][0-9]"]);

    private static readonly Dictionary<string, GgufSplits> ByName = new(StringComparer.Ordinal)
    {
        ["gpt-2"] = Gpt2,
        ["phi-2"] = Gpt2,
        ["mpt"] = Gpt2,
        ["olmo"] = Gpt2,
        ["jais"] = Gpt2,
        ["trillion"] = Gpt2,
        ["granite-docling"] = Gpt2,
        ["starcoder"] = Digits,
        ["refact"] = Digits,
        ["command-r"] = Digits,
        ["smollm"] = Digits,
        ["codeshell"] = Digits,
        ["exaone"] = Digits,
        ["minerva-7b"] = Digits,
        ["llama-bpe"] = Llama3,
        ["llama3"] = Llama3,
        ["llama-v3"] = Llama3,
        ["falcon3"] = Llama3,
        ["falcon-h1"] = Llama3,
        ["pixtral"] = Llama3,
        ["lfm2"] = Llama3,
        ["dbrx"] = Gpt4,
        ["smaug-bpe"] = Gpt4,
        ["glm4"] = Gpt4,
        ["chatglm-bpe"] = Gpt4,
        ["qwen2"] = Qwen,
        ["stablelm2"] = Qwen,
        ["deepseek-r1-qwen"] = Qwen,
        ["megrez"] = Qwen,
        ["hunyuan-dense"] = DeepSeek3,
        ["deepseek-v3"] = DeepSeek3,
        ["deepseek-coder"] = DeepSeekCoder,
        ["tekken"] = Tekken,
        ["gpt-4o"] = Gpt4O,
        ["llama4"] = Gpt4O,
        ["falcon"] = Falcon,
    };

    /// <exception cref="CheckpointFormatException">The file names none, or one that is not known.</exception>
    public static GgufSplits Of(GgufMetadata metadata) =>
        metadata.Text(Key) is { } name && ByName.TryGetValue(name, out var splits)
            ? splits
            : throw metadata.Wrong(
                Key, $"one of {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}, not '{metadata.Text(Key) ?? "none"}'");

    /// <summary>Whether a sequence begins with the token for it where the file does not say.</summary>
    public static bool AddsBos(string? name) => name is not null && ByName.TryGetValue(name, out var splits) && splits == Llama3;
}
