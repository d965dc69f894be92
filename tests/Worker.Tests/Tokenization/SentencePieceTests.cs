using System.Text.Json;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.SentencePiece;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>tokenizer.model files against SentencePiece 0.1.97 itself, which trained the small ones of tests/fixtures/tokenizers on our
/// documents and encoded the texts beside them.</summary>
public sealed class SentencePieceTests
{
    private const string SentencePieceJs = """
        const { SentencePieceProcessor } = require(process.argv[2]);
        (async () => {
          const processor = new SentencePieceProcessor();
          await processor.load(process.argv[3]);
          const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
          require("fs").writeSync(1, JSON.stringify(texts.map(text => processor.encodeIds(text))));
        })();
        """;

    private static readonly JsonSerializerOptions Options = new() { PropertyNameCaseInsensitive = true };

    public static TheoryData<string> Models { get; } =
        new("bpe", "bpe-nfkc", "bpe-without-prefix", "unigram-bytes", "unigram-nmt-nfkc", "unigram-nmt-nfkc-cf");

    private sealed record Case(string Text, int[] Ids, string Decoded);

    [Theory, MemberData(nameof(Models))]
    public void Ids_are_those_of_SentencePiece(string model)
    {
        var folder = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "tokenizers", model);
        var tokenizer = Tokenizer.Load(folder);
        var cases = JsonSerializer.Deserialize<List<Case>>(File.ReadAllText(Path.Combine(folder, "cases.json")), Options)!;
        Assert.All(cases, example =>
        {
            Assert.Equal(example.Ids, tokenizer.Encode(example.Text, addSpecialTokens: false));
            // Ours names the unknown token; SentencePiece writes ⁇ for it, and leaves out every space at a text's start.
            Assert.Equal(
                example.Decoded.Replace(" ⁇ ", "<unk>", StringComparison.Ordinal).TrimStart(' '),
                tokenizer.Decode(example.Ids, skipSpecialTokens: false).TrimStart(' '));
        });
    }

    [Theory, MemberData(nameof(Models))]
    [Trait(Category.Name, Category.Slow)]
    public void Random_texts_are_encoded_as_by_SentencePiece_in_JavaScript(string model)
    {
        var path = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "tokenizers", model, "tokenizer.model");
        var tokenizer = Tokenizer.Load(Path.GetDirectoryName(path)!);
        AssertAsInJavaScript(tokenizer, path, Texts(seed: 5, count: 500));
    }

    [Theory]
    [InlineData("llama2", true, "<s>", "</s>")]
    [InlineData("gemma3", false, "<bos>", "<eos>", Traits = [Category.Name, Category.Long])]
    [Trait(Category.Name, Category.Slow)]
    public void Published_tokenizers_encode_alike_as_tokenizer_model(string name, bool dummyPrefix, string bos, string eos)
    {
        (var golden, var folder) = TokenizerGolden.Load(name);
        using TemporaryFolder converted = new();
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        var path = converted.Write("tokenizer.model", TokenizerForms.ModelProtoOf(json, dummyPrefix, bos, eos));
        var tokenizer = Tokenizer.Load(converted.Path);
        Assert.All(golden.Cases, example =>
        {
            Assert.Equal(example.Ids, tokenizer.Encode(example.Text, addSpecialTokens: false));
            Assert.Equal(example.IdsWithSpecial, tokenizer.Encode(example.Text, addSpecialTokens: true));
            Assert.Equal(example.Decoded, tokenizer.Decode(example.Ids, skipSpecialTokens: false));
        });
        var original = Tokenizer.Load(folder);
        // In tokenizer.json, a token of visible spaces that a text writes out is cut out of it before spaces become visible.
        List<string> texts = [.. Texts(seed: 6, count: 500).Where(text => !text.Contains('▁'))];
        Assert.All(texts, text => Assert.Equal(
            original.Encode(text, addSpecialTokens: true), tokenizer.Encode(text, addSpecialTokens: true)));
        AssertAsInJavaScript(tokenizer, path, texts);
    }

    [Theory]
    [InlineData("{}", "a<s>a", new[] { 1, 3, 4, 1, 3, 4 })]
    [InlineData("""{"legacy": true}""", "a<s>a", new[] { 1, 3, 4, 1, 3, 4 })]
    [InlineData("""{"legacy": false}""", "a<s>a", new[] { 1, 3, 4, 1, 4 })]
    [InlineData("""{"add_prefix_space": false}""", "a<s> a", new[] { 1, 4, 1, 3, 4 })]
    [InlineData("""{"add_bos_token": false, "add_eos_token": true}""", "a", new[] { 3, 4, 2 })]
    [InlineData("""{"tokenizer_class": "T5Tokenizer"}""", "a", new[] { 3, 4, 2 })]
    [InlineData("""{"tokenizer_class": "Ernie4_5_Tokenizer"}""", "a", new[] { 3, 4 })]
    [InlineData("""{"added_tokens_decoder": {"9": {"content": "<x>", "special": true}}}""", "<x>", new[] { 1, 9 })]
    public void Spaces_and_edges_are_as_the_config_says(string config, string text, int[] ids)
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", config);
        folder.Write("tokenizer.model", TokenizerForms.ModelProto(Pieces()));
        Assert.Equal(ids, Tokenizer.Load(folder.Path).Encode(text, addSpecialTokens: true));
    }

    [Fact]
    public void Pieces_that_are_not_used_are_taken_apart()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.model", TokenizerForms.ModelProto(
            [
                .. Pieces(), new("b", -9, PieceType.Normal), new("ab", -1, PieceType.Normal), new("abb", -2, PieceType.Unused),
                new("abba", -3, PieceType.Normal),
            ],
            dummyPrefix: false));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([6, 5], tokenizer.Encode("abb", addSpecialTokens: false));
        Assert.Equal([8], tokenizer.Encode("abba", addSpecialTokens: false));
    }

    [Fact]
    public void A_character_that_is_only_a_part_of_pieces_still_joins()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.model", TokenizerForms.ModelProto([.. Pieces(), new("xy", -1, PieceType.Normal)], dummyPrefix: false));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([4, 5, 4], tokenizer.Encode("axya", addSpecialTokens: false));
        Assert.Equal([4, 0, 4, 0], tokenizer.Encode("axxaz", addSpecialTokens: false));
    }

    [Fact]
    public void The_special_tokens_are_named_by_the_model()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.model", TokenizerForms.ModelProto(Pieces()));
        Assert.Equal("<s>", SpecialTokenNames.Read(folder.Path)["bos_token"]);
        Assert.Equal(2, SpecialTokenNames.EndOfSequence(folder.Path, Tokenizer.Load(folder.Path)));
        folder.Write("tokenizer_config.json", """{"bos_token": null, "eos_token": "a"}""");
        Assert.False(SpecialTokenNames.Read(folder.Path).ContainsKey("bos_token"));
        Assert.Equal(4, SpecialTokenNames.EndOfSequence(folder.Path, Tokenizer.Load(folder.Path)));
    }

    private static void AssertAsInJavaScript(Tokenizer tokenizer, string path, IReadOnlyList<string> texts)
    {
        var module = NpmPackage.Install("@agnai/sentencepiece-js", "1.1.1");
        var expected = JsonSerializer.Deserialize<int[][]>(
            NodeScript.Run("oracle.cjs", SentencePieceJs, JsonSerializer.Serialize(texts), module, path))!;
        Assert.All(texts.Zip(expected), pair => Assert.Equal(pair.Second, tokenizer.Encode(pair.First, addSpecialTokens: false)));
    }

    // The JavaScript passes texts as C strings: a 0 would end them.
    private static List<string> Texts(int seed, int count)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => RandomText.Make(random, 30).Replace("\0", "ab", StringComparison.Ordinal))];
    }

    private static VocabularyPiece[] Pieces() =>
    [
        new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("</s>", 0, PieceType.Control),
        new("▁", -5, PieceType.Normal), new("a", -6, PieceType.Normal),
    ];
}
