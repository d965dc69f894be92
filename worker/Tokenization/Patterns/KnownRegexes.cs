namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>The regexes of well-known tokenizers, recognised by their exact text, and the hand-written scanner for each. A scanner is
/// linear on any input, an order of magnitude faster than the regex engine, and right beyond the basic multilingual plane.</summary>
internal static class KnownRegexes
{
    /// <summary>GPT-2; also what <c>ByteLevel</c> with <c>use_regex</c> splits by.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3, haiku-1m: digits in groups of three.</summary>
    public const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen 2, 2.5, 3: every digit alone.</summary>
    public const string Qwen =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>BLOOM. The class has a class inside it, which .NET reads otherwise than the tokenizers' regex engine.</summary>
    public const string Bloom = @" ?[^(\s|[.,!?…。，、।۔،])]+";

    private const string FlatBloom = @" ?[^\s()|.,!?…。，、।۔،]+";

    public static ISplitPattern? Find(string regex) => regex switch
    {
        Gpt2 => new Gpt2Scanner(),
        Llama3 => new Llama3Scanner(maxDigits: 3),
        Qwen => new Llama3Scanner(maxDigits: 1),
        Bloom => new RegexPattern(FlatBloom),
        _ => null,
    };
}
