using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>A bad file ends in an error that names the file and the place.</summary>
public sealed class TokenizerReaderTests
{
    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "is Array, expected an object")]
    [InlineData("{}", "'model' is missing")]
    [InlineData("""{"model": {"vocab": {}}}""", "model: 'type' is missing; supported: BPE, Unigram, WordPiece")]
    [InlineData("""{"model": {"type": "Nope", "vocab": {}}}""", "model: unknown type 'Nope'")]
    [InlineData("""{"model": {"type": "BPE", "merges": []}}""", "model: 'vocab' is missing")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}""", "model.vocab: the id of token 'a' is -1")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 99999999}, "merges": []}}""", "the id of token 'a' is 99999999, expected 0 to")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}""", "model.merges[0]: 'a' + 'b': both and what they join to")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1}, "merges": ["a a", "aa"]}}""",
        "model.merges[1]: is \"aa\", expected \"a b\"")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["\ud800 a"]}}""", "model.merges[0]: is")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"\ud800": 0}, "merges": []}}""", "not valid")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {}, "merges": [], "unk_token": "u"}}""", "unk_token 'u' is not in the vocabulary")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {}, "merges": [], "dropout": 0.1}}""", "model.dropout: is 0.1")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "normalizer": {"type": "Nope"}}""",
        "normalizer: unknown type 'Nope'; supported: BertNormalizer, Lowercase, NFC")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {}, "merges": []}, "decoder": {"type": "Nope"}}""", "decoder: unknown type 'Nope'")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "post_processor": {"type": "Nope"}}""",
        "post_processor: unknown type 'Nope'")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Nope"}]}}""",
        "pre_tokenizer.pretokenizers[0]: unknown type 'Nope'; supported: BertPreTokenizer, ByteLevel, Digits, Metaspace")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}}""",
        "pre_tokenizer.pattern: regex '(' cannot be used")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "x"}, "behavior": "Nope"}}""",
        "unknown behavior 'Nope'; supported: Removed, Isolated")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": [{"id": 0, "content": ""}]}""",
        "added_tokens[0]: 'content' has 0 characters")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": [{"id": "x", "content": "a"}]}""",
        "added_tokens[0].id: is \"x\", expected an integer")]
    [InlineData(
        """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": [{"id": 1, "content": "a", "special": 1}]}""",
        "expected true or false")]
    public void A_malformed_file_names_itself_and_the_place(string json, string problem)
    {
        using var folder = new TemporaryFolder().With("tokenizer.json", json);
        var e = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
        Assert.StartsWith(Path.Combine(folder.Path, "tokenizer.json") + ": ", e.Message, StringComparison.Ordinal);
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void JSON_nested_without_end_is_refused()
    {
        using var folder = new TemporaryFolder().With("tokenizer.json", new string('[', 100_000));
        Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
    }

    [Fact]
    public void A_folder_without_a_tokenizer_says_so()
    {
        using TemporaryFolder folder = new();
        Assert.Contains(
            "has no tokenizer.json", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(folder.Path)).Message,
            StringComparison.Ordinal);
    }
}
