using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Formats;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Tiktoken files and tekken.json, against tiktoken itself and against the tokenizer.json of the same vocabulary.</summary>
public sealed class TiktokenTests
{
    private const string Script = """
        const { Tiktoken } = require(process.argv[2]);
        const { ranks, special, pattern, texts } = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const encoding = new Tiktoken("! 0 " + ranks.join(" "), special, pattern);
        require("fs").writeSync(1, JSON.stringify(texts.map(text => [...encoding.encode(text, "all")])));
        """;

    private const string TekkenPattern =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("cl100k_base", "cl100k_base.tiktoken", KnownRegexes.Llama3)]
    [InlineData("o200k_base", "o200k_base.tiktoken", TiktokenFamily.O200kPattern)]
    [InlineData("o200k_base", "tiktoken.model", TiktokenFamily.KimiPattern)]
    [InlineData("cl100k_base", "tekken.json", TekkenPattern)]
    [Trait(Category.Name, Category.Slow)]
    public void Texts_are_encoded_as_by_tiktoken(string encoding, string file, string pattern)
    {
        var package = NpmPackage.Install("tiktoken", "1.0.22");
        var ranks = Ranks(Path.Combine(package, "encoders", encoding + ".json"));
        using TemporaryFolder folder = new();
        var numSpecial = 0;
        switch (file)
        {
            case "tekken.json":
                numSpecial = 1000;
                ranks = [.. TokenizerForms.Bytes, .. ranks.Where(bytes => bytes.Length > 1).Take(60_000)];
                folder.Write(file, TokenizerForms.Tekken(ranks, null, numSpecial, pattern));
                break;
            case "tiktoken.model":
                folder.Write("tokenizer_config.json", """{"tokenizer_class": "TikTokenTokenizer"}""");
                goto default;
            default:
                folder.Write(file, TokenizerForms.Tiktoken(ranks));
                break;
        }
        var tokenizer = Tokenizer.Load(folder.Path);
        Random random = new(12);
        List<string> texts =
        [
            .. Enumerable.Range(0, 1000).Select(_ => RandomText.Make(random, 40)),
            File.ReadAllText(Path.Combine(RepositoryRoot.Path, "LICENSE")),
        ];
        JsonObject input = new()
        {
            ["ranks"] = new JsonArray([.. ranks.Select(bytes => (JsonNode?)Convert.ToBase64String(bytes))]),
            ["special"] = new JsonObject(),
            ["pattern"] = pattern,
            ["texts"] = new JsonArray([.. texts.Select(text => (JsonNode?)text)]),
        };
        var expected = JsonSerializer.Deserialize<int[][]>(NodeScript.Run("oracle.cjs", Script, input.ToJsonString(), package))!;
        Assert.All(texts.Zip(expected), pair =>
        {
            var ids = tokenizer.Encode(pair.First, addSpecialTokens: false);
            Assert.Equal(pair.Second.Select(id => id + numSpecial), ids);
            Assert.Equal(pair.First, tokenizer.Decode([.. ids], skipSpecialTokens: false));
        });
    }

    [Theory]
    [InlineData("qwen3", "qwen.tiktoken")]
    [InlineData("llama3", "tokenizer.model")]
    [InlineData("llama3", "tekken.json")]
    [InlineData("gptoss", "o200k_base.tiktoken")]
    [Trait(Category.Name, Category.Slow)]
    public void Published_tokenizers_encode_alike_in_other_forms(string name, string file)
    {
        (var golden, var source) = TokenizerGolden.Load(name);
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(source, "tokenizer.json")));
        var tokens = TokenizerForms.BytesOf(json);
        using TemporaryFolder folder = new();
        if (file == "tekken.json")
        {
            byte[][] bytes = [.. tokens.Select(token => token.Bytes)];
            folder.Write(file, TokenizerForms.Tekken(bytes, ["<unk>", "<s>"], 10, KnownRegexes.Llama3, "v13"));
        }
        else
        {
            folder.Write(file, TokenizerForms.Tiktoken(tokens));
            File.Copy(Path.Combine(source, "tokenizer_config.json"), Path.Combine(folder.Path, "tokenizer_config.json"));
            folder.Write("config.json", """{"model_type": "llama"}""");
        }
        var tokenizer = Tokenizer.Load(folder.Path);
        var first = json.RootElement.GetProperty("added_tokens").EnumerateArray().Min(token => token.GetProperty("id").GetInt32());
        // Tekken has other special tokens, and other words in their place.
        var cases = file == "tekken.json"
            ? golden.Cases.Where(example => example.Ids.All(id => id < first) && !example.Text.Contains("<s>", StringComparison.Ordinal))
            : golden.Cases;
        Assert.All(cases, example =>
        {
            var ids = tokenizer.Encode(example.Text, addSpecialTokens: false);
            Assert.Equal(example.Ids, file == "tekken.json" ? ids.Select(id => id - 10) : ids);
            Assert.Equal(example.Decoded, tokenizer.Decode([.. ids], skipSpecialTokens: false));
        });
    }

    [Fact]
    public void Tekken_numbers_its_special_tokens_first_and_cuts_its_vocabulary()
    {
        byte[][] tokens = [.. TokenizerForms.Bytes, "ab"u8.ToArray(), "abc"u8.ToArray()];
        using var folder = new TemporaryFolder().With(
            "tekken.json", TokenizerForms.Tekken(tokens, ["<unk>", "<s>", "</s>", "[INST]"], 6, KnownRegexes.Gpt2, vocabSize: 6 + 257));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal(263, tokenizer.VocabSize);
        Assert.Equal([1, 3, 262, 6 + 'c'], tokenizer.Encode("[INST]abc", addSpecialTokens: true));
        Assert.Equal("<SPECIAL_4>", tokenizer.IdToToken(4));
        Assert.True(tokenizer.IsSpecial(3));
        Assert.Equal("abc", tokenizer.Decode([1, 3, 262, 6 + 'c'], skipSpecialTokens: true));
        Assert.Equal("tekken.json (Tekken v7), 263 tokens", tokenizer.Description);
        Assert.Equal(2, SpecialTokenNames.EndOfSequence(folder.Path, tokenizer));
    }

    [Fact]
    public void Tekken_files_before_version_11_know_their_special_tokens_by_themselves()
    {
        using var folder = new TemporaryFolder().With(
            "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], null, 30, KnownRegexes.Gpt2, "v3"));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([1, 17, 30 + 'a', 18, 9], tokenizer.Encode("[SYSTEM_PROMPT]a[/SYSTEM_PROMPT][TOOL_CALLS]", addSpecialTokens: true));
    }

    [Fact]
    public void Kimi_reserves_the_ids_that_its_config_does_not_name()
    {
        using var folder = new TemporaryFolder()
            .With("tiktoken.model", TokenizerForms.Tiktoken(TokenizerForms.Bytes))
            .With("tokenizer_config.json", """
                {"tokenizer_class": "TikTokenTokenizer", "added_tokens_decoder": {"256": {"content": "[BOS]", "special": true},
                 "257": {"content": "[EOS]", "special": true}, "300": {"content": "<|im_user|>", "special": true}}}
                """);
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([256, 300, 258, 'a'], tokenizer.Encode("[BOS]<|im_user|><|reserved_token_258|>a", addSpecialTokens: true));
        Assert.Null(tokenizer.TokenToId("<|reserved_token_257|>"));
        Assert.Equal(512, tokenizer.VocabSize);
        Assert.Equal(257, SpecialTokenNames.EndOfSequence(folder.Path, tokenizer));
    }

    [Fact]
    public void GLM_begins_every_text_with_its_two_tokens()
    {
        using var folder = new TemporaryFolder()
            .With("tokenizer.model", TokenizerForms.Tiktoken(TokenizerForms.Bytes))
            .With("tokenizer_config.json", """
                {"tokenizer_class": "ChatGLM4Tokenizer", "added_tokens_decoder": {"260": {"content": "[gMASK]", "special": true},
                 "262": {"content": "<sop>", "special": true}}}
                """);
        Assert.Equal([260, 262, 'a'], Tokenizer.Load(folder.Path).Encode("a", addSpecialTokens: true));
    }

    private static List<byte[]> Ranks(string path)
    {
        using var encoder = JsonDocument.Parse(File.ReadAllBytes(path));
        SortedDictionary<int, byte[]> ranks = [];
        foreach (var line in encoder.RootElement.GetProperty("bpe_ranks").GetString()!.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // "! 0 IQ== Ig== …": tokens from this rank on.
            var words = line.Split(' ');
            for (var i = 2; i < words.Length; i++)
            {
                ranks[int.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture) + i - 2] = Convert.FromBase64String(words[i]);
            }
        }
        return [.. ranks.Values];
    }
}
