using System.Text;
using Cluster.Worker.Tests.Fuzz;
using Cluster.Worker.Tests.Tokenization;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Texts at sound tokenizers, and the patterns that tokenizers split by.</summary>
internal static class TokenizerTargets
{
    /// <summary>One that backtracks must be given up soon here: the product gives it ten seconds.</summary>
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromMilliseconds(200);

    private static readonly string[] Pieces =
    [
        "a", "A", "é", "e\u0301", "ﬁ", "한", "\u1112\u1161", "日本", "😀", "👩‍👩‍👧", "\u0000", "\n", "\r\n", " ", "   ", "\t", "\u00a0",
        "\u2028", "\ufeff",
        "'s", "'RE", "1", "12345", "٣", "Ⅷ", "!", "...", "<s>", "</s>", "<tool>", "<|im_end|>", "<|im_start|>", "▁", "<0xC3>", "<unk>",
        "\u0301\u0323", "ẞ", "ſ", "İ", "\ue000", "\U000e0041", "\u200d", "\ufffd",
    ];

    private static readonly string[] PatternPieces =
    [
        "a", "é", "\\p{L}", "\\p{N}{1,3}", "\\P{Lu}", "[^\\s\\p{L}]", "\\s+(?!\\S)", "(?i:'s|'t)", "(a+)+", "(.*)*", "$", "^", "\\b",
        "\\1", "(?<n>x)",
        "\\k<n>", "(?=a)", "(?<!b)", "(?>a*)", "{2000}", "{1,}", "*", "+?", "|", "(", ")", "[", "]", "\\", "\\x{41}", "\\uD83D",
        "[[:alpha:]]",
        "\\h", "\\R", "(?#c)", "(?x: a b)", "&&", "-",
    ];

    public static IFuzzTarget Text(string name)
    {
        var haiku = Tokenizer.Load(Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m"));
        var bytes = TinyTokenizer.OfBytes().WithMerge("H", "e").WithMerge("l", "l").WithAdded("<s>").Build();
        Tokenizer[] others = [.. new[] { "byte level BPE", "SentencePiece BPE", "Unigram" }.Select(Load)];
        return new TextTarget(
            name,
            [
                .. SeedFiles.Texts("Hello,  Wörld ▁ <s> 😀 12345\n\n\u0301x", "<|im_start|>user\nIt's 42!<|im_end|>"),
                .. SeedFiles.Under("docs", "*.md").Take(2).Select(Cut),
            ],
            new PieceMutator(Pieces), exception => exception is TokenizationException, text =>
            {
                RoundTrip(haiku, text, isExact: true);
                RoundTrip(bytes, text, isExact: true);
                Array.ForEach(others, tokenizer => RoundTrip(tokenizer, text, isExact: false));
            });
    }

    public static IFuzzTarget Pattern(string name) => new TextTarget(
        name,
        SeedFiles.Texts(KnownRegexes.Gpt2, KnownRegexes.Llama3, KnownRegexes.Qwen, @"\d+|\w+(?:-\w+)*", @"(?<!x)[^\p{Z}]{2,}"),
        new PieceMutator(PatternPieces), exception => exception is ArgumentException or TokenizationException, Split)
    {
        Limits = FuzzLimits.Default with { Cost = 4 },
    };

    /// <summary>The scanners that stand in for known patterns.</summary>
    public static IFuzzTarget Scanner(string name)
    {
        var pairs = new[] { KnownRegexes.Gpt2, KnownRegexes.Llama3, KnownRegexes.Qwen }
            .Select(regex => (Scanner: KnownRegexes.Find(regex)!, Regex: new RegexPattern(Folding(regex), MatchTimeout))).ToArray();
        return new TextTarget(
            name, SeedFiles.Texts("It's  12345 wörds,\r\n\n  and日本 😀!", "'LL x'd\t\t\tend  "), new PieceMutator(Pieces),
            exception => exception is TokenizationException, text =>
            {
                foreach (var (scanner, regex) in pairs)
                {
                    List<TextSpan> found = [], expected = [];
                    scanner.FindMatches(text, 0, text.Length, found);
                    regex.FindMatches(text, 0, text.Length, expected);
                    if (!found.SequenceEqual(expected))
                    {
                        throw new FuzzFailure($"{scanner.GetType().Name} splits as its regex does", text);
                    }
                }
            });
    }

    /// <param name="isExact">Whether the tokenizer keeps every character, as byte-level ones do.</param>
    public static void RoundTrip(Tokenizer tokenizer, string text, bool isExact)
    {
        var ids = tokenizer.Encode(text, addSpecialTokens: false);
        if (!ids.SequenceEqual(tokenizer.Encode(text, addSpecialTokens: false)))
        {
            throw new FuzzFailure("a text has the same ids twice", text);
        }

        if (ids.Any(id => id < 0 || id >= tokenizer.VocabSize))
        {
            throw new FuzzFailure("ids are in the vocabulary", string.Join(' ', ids));
        }

        tokenizer.Encode(text, addSpecialTokens: true);
        tokenizer.Decode([.. ids], skipSpecialTokens: true);
        var decoded = tokenizer.Decode([.. ids], skipSpecialTokens: false);
        if (isExact && decoded != text)
        {
            throw new FuzzFailure("a text is itself after encoding and decoding", $"{text}\n{decoded}");
        }
    }

    private static void Split(string pattern)
    {
        const string Text = "Hello,  Wörld aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa! 12345 😀\n\n\u0301x";
        List<TextSpan> spans = [];
        new RegexPattern(pattern, MatchTimeout).FindMatches(Text, 2, Text.Length - 2, spans);
        var end = 2;
        foreach (var span in spans)
        {
            if (span.Start < end || span.End <= span.Start || span.End > Text.Length)
            {
                throw new FuzzFailure("matches follow each other", $"{pattern}: {span}");
            }

            end = span.End;
        }
    }

    /// <summary>The tokenizers' regex engine takes the long s for an s; .NET's does not.</summary>
    private static string Folding(string regex) => regex.Replace("(?i:'s|", "(?i:'[sſ]|", StringComparison.Ordinal);

    private static Tokenizer Load(string kind)
    {
        using TemporaryFolder folder = new();
        return Tokenizer.Load(folder.With("tokenizer.json", Tokenizers.Json(kind)).Path);
    }

    private static byte[] Cut(byte[] text) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text)[..2000]);
}
