using System.Globalization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>What a tiktoken file leaves out and the Python code beside it says: how texts are split, and which special tokens follow the
/// ranks. Known by the file's name, or by the class that tokenizer_config.json names. Used by <see cref="TiktokenReader"/>.</summary>
/// <param name="Pattern">Splits texts.</param>
/// <param name="IsComposed">Whether texts are brought to NFC first.</param>
/// <param name="SpecialTokens">Those of the code, by the id after the last rank; tokenizer_config.json may name others for their
/// ids.</param>
/// <param name="Begin">What every text begins with.</param>
/// <param name="NamedTokens"><c>eos_token</c> and its like where no file names them.</param>
internal sealed record TiktokenFamily(
    string Name, string Pattern, bool IsComposed, Func<int, IEnumerable<AddedToken>> SpecialTokens, IReadOnlyList<string> Begin,
    IReadOnlyList<(string Name, string Token)> NamedTokens)
{
    private const int QwenExtras = 205;
    private const int KimiReserved = 256;

    /// <summary>tokenization_kimi.py: runs of Han are words of their own, and words of other scripts hold none.</summary>
    public const string KimiPattern =
        @"[\p{Han}]+"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
        + @"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
        + @"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>tiktoken_ext/openai_public.py.</summary>
    public const string O200kPattern =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly (string Name, string Token)[] EndOfText = [("eos_token", "<|endoftext|>"), ("pad_token", "<|endoftext|>")];

    private static readonly TiktokenFamily Qwen = new(
        "Qwen", KnownRegexes.Qwen, IsComposed: true,
        first => Numbered(first, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", .. Extras]), [],
        EndOfText);

    private static readonly TiktokenFamily HunYuan = new(
        "HunYuan", KnownRegexes.Qwen, IsComposed: true,
        first => Numbered(first, ["<|endoftext|>", "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>", .. Extras]), [], []);

    private static readonly TiktokenFamily Kimi = new(
        "Kimi", KimiPattern, IsComposed: false,
        first => Numbered(
            first,
            Enumerable.Range(first, KimiReserved).Select(id => string.Create(CultureInfo.InvariantCulture, $"<|reserved_token_{id}|>"))),
        [], [("bos_token", "[BOS]"), ("eos_token", "[EOS]"), ("unk_token", "[UNK]"), ("pad_token", "[PAD]")]);

    private static readonly TiktokenFamily Glm = new(
        "GLM", KnownRegexes.Llama3, IsComposed: false, _ => [], ["[gMASK]", "<sop>"], EndOfText);

    private static readonly TiktokenFamily Llama = new(
        "Llama", KnownRegexes.Llama3, IsComposed: false, _ => [], ["<|begin_of_text|>"],
        [("bos_token", "<|begin_of_text|>"), ("eos_token", "<|end_of_text|>")]);

    private static readonly TiktokenFamily Cl100k = new(
        "cl100k_base", KnownRegexes.Llama3, IsComposed: false,
        _ =>
        [
            .. Numbered(100257, ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"]),
            AddedToken.SpecialOf(100276, "<|endofprompt|>"),
        ],
        [], EndOfText);

    private static readonly TiktokenFamily O200k = new(
        "o200k_base", O200kPattern, IsComposed: false,
        _ => [AddedToken.SpecialOf(199999, "<|endoftext|>"), AddedToken.SpecialOf(200018, "<|endofprompt|>")], [], EndOfText);

    private static readonly (string File, TiktokenFamily Family)[] ByFile =
        [("qwen.tiktoken", Qwen), ("hy.tiktoken", HunYuan), ("cl100k_base.tiktoken", Cl100k), ("o200k_base.tiktoken", O200k)];

    private static readonly (string Class, TiktokenFamily Family)[] ByClass =
        [("QWenTokenizer", Qwen), ("HYTokenizer", HunYuan), ("TikTokenTokenizer", Kimi), ("ChatGLM4Tokenizer", Glm)];

    // For checkpoints without a class. Moonlight has DeepSeek's model_type.
    private static readonly (string ModelType, TiktokenFamily Family)[] ByModelType =
    [
        ("qwen", Qwen), ("hunyuan", HunYuan), ("kimi_k2", Kimi), ("kimi_linear", Kimi), ("deepseek_v3", Kimi), ("chatglm", Glm),
        ("glm4", Glm), ("llama", Llama),
    ];

    private static IEnumerable<string> Extras =>
        Enumerable.Range(0, QwenExtras).Select(i => string.Create(CultureInfo.InvariantCulture, $"<|extra_{i}|>"));

    /// <exception cref="TokenizerFormatException">Nothing tells the family.</exception>
    public static TiktokenFamily Find(TokenizerFile file, TokenizerSettings settings)
    {
        var byFile = Array.Find(ByFile, entry => entry.File == file.Name).Family;
        var byClass = Array.Find(ByClass, entry => entry.Class == settings.Class).Family;
        if ((byFile ?? byClass) is { } known)
        {
            return known;
        }
        var modelType = TokenizerSettings.ModelTypeOf(file.Folder);
        return Array.Find(ByModelType, entry => entry.ModelType == modelType).Family
            ?? throw new TokenizerFormatException(
                $"{file.Path}: a tiktoken file does not say how texts are split; that is known of the files "
                + $"{string.Join(", ", ByFile.Select(entry => entry.File))}, of the tokenizer_class "
                + $"{string.Join(", ", ByClass.Select(entry => entry.Class))} and of the model_type "
                + $"{string.Join(", ", ByModelType.Select(entry => entry.ModelType))}, but tokenizer_class is "
                + $"{Quoted(settings.Class)} and model_type {Quoted(modelType)}; convert the tokenizer to {TokenizerReader.FileName}");
    }

    private static string Quoted(string? name) => name is null ? "not given" : $"'{name}'";

    private static IEnumerable<AddedToken> Numbered(int first, IEnumerable<string> names) =>
        names.Select((name, index) => AddedToken.SpecialOf(first + index, name));
}
