using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.SentencePiece;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Which of a folder's files the tokenizer is read from, and what is said of those that cannot be.</summary>
public sealed class TokenizerFileTests
{
    private static readonly string Tekken = TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["<unk>", "<s>"], 2, KnownRegexes.Gpt2);

    private static readonly string Tiktoken = TokenizerForms.Tiktoken(TokenizerForms.Bytes);

    [Fact]
    public void The_form_that_says_most_counts()
    {
        using var folder = MergesReaderTests.Gpt2()
            .With("vocab.txt", string.Join('\n', TinyWordPiece.Vocabulary()))
            .With("tiktoken.model", Tiktoken)
            .With("qwen.tiktoken", Tiktoken)
            .With("tekken.json", Tekken)
            .With("tokenizer.json", TinyTokenizer.OfBytes().ToJson());
        folder.Write("tokenizer.model", Model());
        foreach (var (file, description) in new[]
        {
            ("tokenizer.json", "tokenizer.json (Bpe), 256 tokens"),
            ("tekken.json", "tekken.json (Tekken v7), 258 tokens"),
            ("tokenizer.model", "tokenizer.model (SentencePiece BPE), 4 tokens"),
            ("qwen.tiktoken", "qwen.tiktoken (tiktoken, Qwen), 464 tokens"),
            ("tiktoken.model", "tiktoken.model (tiktoken, Kimi), 512 tokens"),
            ("merges.txt", "vocab.json and merges.txt (GPT-2 BPE), 258 tokens"),
            ("vocab.txt", "vocab.txt (WordPiece), 54 tokens"),
        })
        {
            folder.Write("tokenizer_config.json", file == "tiktoken.model" ? """{"tokenizer_class": "TikTokenTokenizer"}""" : "{}");
            Assert.Equal(description, Tokenizer.Load(folder.Path).Description);
            File.Delete(Path.Combine(folder.Path, file));
        }
        var missing = Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains("has no tokenizer.json, tekken.json", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_tiktoken_files_are_refused()
    {
        using var folder = new TemporaryFolder().With("a.tiktoken", Tiktoken).With("b.tiktoken", Tiktoken);
        Assert.Contains("has 2 files *.tiktoken (a.tiktoken, b.tiktoken); expected one", Refusal(folder), StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string, string> Broken { get; } = new()
    {
        { "tekken.json", "{}", "{}", "'config' is missing" },
        { "tekken.json", Tekken.Replace("\"v7\"", "\"v2\"", StringComparison.Ordinal), "{}",
            "'version' is 'v2', expected 'v3' or a later one" },
        { "tekken.json", Tekken.Replace("\"default_vocab_size\":258", "\"default_vocab_size\":300", StringComparison.Ordinal), "{}",
            "vocab: has 256 tokens, expected 298" },
        { "tekken.json",
            Tekken.Replace("\"default_num_special_tokens\":2", "\"default_num_special_tokens\":1", StringComparison.Ordinal), "{}",
            "vocab: has 256 tokens, expected 257" },
        { "tekken.json", Tekken.Replace("\"rank\":7,\"token_b", "\"rank\":8,\"token_b", StringComparison.Ordinal), "{}",
            "vocab[7]: 'rank' is 8, expected 7" },
        { "tekken.json", Tekken.Replace("\"AQ==\"", "\"AA==\"", StringComparison.Ordinal), "{}", "vocab[1]: is the same token as 2" },
        { "tekken.json", Tekken.Replace("\"AQ==\"", "\"A\"", StringComparison.Ordinal), "{}",
            "vocab[1]: 'token_bytes' is not valid Base64" },
        { "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["<s>"], 2, @"\p{N}{1,3}+"), "{}",
            "'{1,3}+' in it is not supported" },
        { "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["<s>"], 2, @"("), "{}",
            "config.pattern: regex '(' cannot be used" },
        { "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], null, 2, KnownRegexes.Gpt2, "v11"), "{}",
            "'special_tokens' is missing; only versions up to v7 go without" },
        { "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["a", "b", "c"], 2, KnownRegexes.Gpt2), "{}",
            "special_tokens[2]: 'rank' is 2, expected 0 to 1" },
        { "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["a"], 2, KnownRegexes.Gpt2), "{}",
            "'special_tokens' has no '<s>'" },
        { "x.tiktoken", Tiktoken, "{}",
            "but tokenizer_class is not given and model_type not given; convert the tokenizer to tokenizer.json" },
        { "x.tiktoken", Tiktoken, """{"tokenizer_class": "XTokenizer"}""", "but tokenizer_class is 'XTokenizer' and model_type not given" },
        { "qwen.tiktoken", "IQ== 0\n", "{}", "has no token for the byte 0x00; expected one for each of the 256" },
        { "qwen.tiktoken", "IQ==\n", "{}", "line 1 is not a token in Base64 and its rank" },
        { "qwen.tiktoken", "\nI== 0\n", "{}", "line 2 has a token that is not valid Base64" },
        { "qwen.tiktoken", "IQ== x\n", "{}", "line 1 has a rank that is not an integer" },
        { "qwen.tiktoken", "IQ== 0\nIg== 0\n", "{}", "line 2 has the id 0, which another token has" },
        { "qwen.tiktoken", "IQ== 0\nIQ== 1\n", "{}", "line 2 is the same token as 0" },
        { "qwen.tiktoken", "IQ== 99999999\n", "{}", "line 1 has the id 99999999, expected 0 to" },
        { "tokenizer.model", Tiktoken, """{"tokenizer_class": "ChatGLM4Tokenizer"}""", "texts of GLM begin with '[gMASK]'" },
        { "tokenizer.model", "\nnonsense", "{}", "is no SentencePiece model" },
        { "tokenizer.model", "\n\0", """{"tokenizer_class": "XLMRobertaTokenizerFast"}""",
            "'tokenizer_class' is 'XLMRobertaTokenizer', whose ids are not those of tokenizer.model" },
        { "vocab.txt", "a\nb", "{}", "has no line for the unk_token '[UNK]'" },
        { "vocab.txt", "a\nb", """{"tokenizer_class": "EsmTokenizer"}""",
            "'tokenizer_class' is 'EsmTokenizer'; of vocab.txt are supported" },
    };

    [Theory, MemberData(nameof(Broken))]
    public void A_malformed_file_names_itself_and_the_place(string file, string text, string config, string problem)
    {
        using var folder = new TemporaryFolder().With(file, text).With("tokenizer_config.json", config);
        var message = Refusal(folder);
        Assert.StartsWith(folder.Path, message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CLIPTokenizer", "H e", "'tokenizer_class' is 'CLIPTokenizer'; of vocab.json with merges.txt are supported: Qwen2")]
    [InlineData("GPT2Tokenizer", "He", "merges.txt: line 2: is 'He', expected two tokens with a space between them")]
    [InlineData("GPT2Tokenizer", "H l", "merges.txt: line 2: 'H' + 'l': both and what they join to must be in the vocabulary")]
    public void Malformed_merges_are_named(string tokenizerClass, string merge, string problem)
    {
        using var folder = MergesReaderTests.Gpt2()
            .With("tokenizer_config.json", $$"""{"tokenizer_class": "{{tokenizerClass}}"}""").With("merges.txt", "#version: 0.2\n" + merge);
        Assert.Contains(problem, Refusal(folder), StringComparison.Ordinal);
    }

    public static TheoryData<byte[], string> BrokenModels { get; } = new()
    {
        { Model(new VocabularyPiece("<unk>", 0, PieceType.Unknown)), "pieces[4] '<unk>' is the same as pieces[0]" },
        { Model(new VocabularyPiece("x", float.NaN, PieceType.Normal)), "pieces[4] has the score NaN, expected a finite number" },
        { Model(new VocabularyPiece("", 0, PieceType.Normal)), "pieces[4] has 0 characters, expected 1 to" },
        { Model(new VocabularyPiece("x", 0, PieceType.Unknown)), "pieces[4] is of type UNKNOWN as pieces[0] is" },
        { Model(new VocabularyPiece("x", 0, (PieceType)7)), "pieces[4]: 'type' is 7, expected 1 to 6" },
        { Model(new VocabularyPiece("<0x41>", 0, PieceType.Byte)), "pieces[4] '<0x41>' is of type BYTE; expected" },
        { TokenizerForms.ModelProto([new("a", 0, PieceType.Normal)]), "has no piece of type UNKNOWN; expected one" },
        { TokenizerForms.ModelProto([new("a", 0, PieceType.Unknown)], byteFallback: true), "but there is no piece '<0x00>' of type BYTE" },
        { TokenizerForms.ModelProto([new("a", 0, PieceType.Unknown)], charsMap: [1, 2]),
            "'precompiled_charsmap' of 2 bytes claims a trie of 0" },
        { TokenizerForms.ModelProto([]), "it has no pieces" },
        { [.. Model(), 18, 2, 24, 3], "'model_type' is WORD; supported: UNIGRAM, BPE" },
        { [.. Model(), 18, 3, 192, 1, 1], "'treat_whitespace_as_suffix' is true, which is not supported" },
        { [.. Model(), 42, 3, 18, 1, 7], "'denormalizer_spec' has a 'precompiled_charsmap'" },
        { [.. Model(), 18, 90], "is no SentencePiece model" },
    };

    [Theory, MemberData(nameof(BrokenModels))]
    public void A_malformed_SentencePiece_model_is_refused_by_its_piece_or_field(byte[] model, string problem)
    {
        using TemporaryFolder folder = new();
        var path = folder.Write("tokenizer.model", model);
        var message = Refusal(folder);
        Assert.StartsWith(path + ": ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    private static string Refusal(TemporaryFolder folder) =>
        Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path)).Message;

    private static byte[] Model(params VocabularyPiece[] more) => TokenizerForms.ModelProto(
    [
        new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("▁", -1, PieceType.Normal),
        new("a", -2, PieceType.Normal), .. more,
    ]);
}
