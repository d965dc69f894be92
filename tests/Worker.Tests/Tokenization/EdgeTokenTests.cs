using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary><c>add_bos_token</c> and <c>add_eos_token</c> of tokenizer_config.json, as transformers applies them.</summary>
public sealed class EdgeTokenTests
{
    private const int Text = 0;
    private const int Bos = 1000;
    private const int Eos = 1001;
    private const int Other = 1002;

    /// <summary>tokenizer_config.json, and what a text of one token becomes. tokenizer.json itself puts <c>&lt;o&gt;</c> before a
    /// text.</summary>
    public static TheoryData<string, int[]> Configs => new()
    {
        { "{}", [Other, Text] },
        { """{"bos_token": "<b>", "tokenizer_class": "LlamaTokenizer"}""", [Other, Text] },
        { """{"add_bos_token": true, "bos_token": "<b>"}""", [Bos, Text] },
        { """{"add_bos_token": true, "bos_token": {"content": "<b>", "lstrip": false}}""", [Bos, Text] },
        { """{"add_bos_token": true, "add_eos_token": true, "bos_token": "<b>", "eos_token": "<e>"}""", [Bos, Text, Eos] },
        { """{"add_bos_token": false, "add_eos_token": true, "bos_token": "<b>", "eos_token": "<e>"}""", [Text, Eos] },
        { """{"add_eos_token": true, "bos_token": "<b>", "eos_token": "<e>"}""", [Text, Eos] },
        { """{"add_bos_token": false, "bos_token": "<b>"}""", [Text] },
        { """{"add_bos_token": null, "bos_token": "<b>"}""", [Text] },
        { """{"add_bos_token": true, "bos_token": null}""", [Text] },
        { """{"add_bos_token": true}""", [Text] },
        { """{"add_bos_token": true, "tokenizer_class": "LlamaTokenizerFast"}""", [1003, Text] },
        { """{"add_bos_token": true, "tokenizer_class": "GemmaTokenizer"}""", [1004, Text] },
        { """{"add_bos_token": true, "bos_token": "<b>", "tokenizer_class": "GemmaTokenizer"}""", [Bos, Text] },
    };

    [Theory, MemberData(nameof(Configs))]
    public void The_configuration_decides_what_stands_around_a_text(string config, int[] expected)
    {
        var tokenizer = Build(config);
        Assert.Equal(expected, tokenizer.Encode("a", addSpecialTokens: true));
        Assert.Equal([Text], tokenizer.Encode("a", addSpecialTokens: false));
    }

    [Fact]
    public void The_token_may_be_named_by_the_map_of_special_tokens()
    {
        using var folder = new TemporaryFolder().With("tokenizer.json", Tiny().ToJson())
            .With("tokenizer_config.json", """{"add_bos_token": true}""").With("special_tokens_map.json", """{"bos_token": "<b>"}""");
        Assert.Equal([Bos, Text], Tokenizer.Load(folder.Path).Encode("a", addSpecialTokens: true));
    }

    [Theory]
    [InlineData("""{"add_bos_token": true, "bos_token": "<x>"}""", "'add_bos_token' is true, but 'bos_token' is '<x>', which is no token")]
    [InlineData("""{"add_eos_token": 1}""", "add_eos_token: is Number, expected true or false")]
    public void What_cannot_be_added_is_refused_by_name(string config, string reason) =>
        Assert.Contains(reason, Assert.Throws<TokenizerFormatException>(() => Build(config)).Message, StringComparison.Ordinal);

    private static Tokenizer Build(string config) => Tiny().Build(config);

    private static TinyTokenizer Tiny() => TinyTokenizer.OfCharacters("a")
        .WithAdded("<b>").WithAdded("<e>").WithAdded("<o>").WithAdded("<s>").WithAdded("<bos>")
        .With(
            "post_processor",
            """{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<o>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {"<o>": {"id": "<o>", "ids": [1002], "tokens": ["<o>"]}}}""");
}
