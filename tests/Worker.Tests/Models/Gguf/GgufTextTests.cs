using System.Text.Json.Nodes;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Tokenizer and chat template of a GGUF file, read as those of a folder are.</summary>
public sealed class GgufTextTests
{
    private static readonly string[] Texts =
    [
        "", "Hello, world!", "  two  spaces\n\nand lines\r\n", "naïve café 12345 x9", "<|im_start|>user\nhi<|im_end|>\n",
        "日本語 😀 👩‍👩‍👧",
        "don't WE'LL they'Ve", "\tdef f(x):\n\t\treturn x**2  # ok",
    ];

    [Fact]
    public void A_file_tokenizes_as_the_folder_it_was_made_of()
    {
        using TemporaryFolder folder = new();
        Tokenizer expected = Tokenizer.Load(Fixtures.Haiku), actual = Tokenizer.Load(Mount(folder));

        Assert.Equal(expected.VocabSize, actual.VocabSize);
        Assert.All(Texts, text =>
        {
            var ids = expected.Encode(text, addSpecialTokens: true);
            Assert.Equal(ids, actual.Encode(text, addSpecialTokens: true));
            Assert.Equal(expected.Decode([.. ids], false), actual.Decode([.. ids], false));
        });
        Assert.Equal(2, actual.TokenToId("<|im_end|>"));
        Assert.True(actual.IsSpecial(2));
    }

    [Fact]
    public void A_file_has_the_chat_template_of_the_folder_it_was_made_of()
    {
        using TemporaryFolder folder = new();
        var file = Mount(folder);
        var messages = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Write a haiku." });

        var expected = ChatTemplate.Load(Fixtures.Haiku)!.Render(messages, null, true);
        Assert.Equal(expected, ChatTemplate.Load(file)!.Render(messages, null, true));
        Assert.Equal([0, 2], GgufModel.Open(file).Config().EosTokenIds);
        Assert.Equal(2, SpecialTokenNames.EndOfSequence(file, Tokenizer.Load(file)));
    }

    [Theory, InlineData("F16"), InlineData("Q8_0"), InlineData("Q4_0")]
    public void Greedy_texts_are_those_of_the_dequantized_weights(string type)
    {
        using TemporaryFolder folder = new();
        GgufExport export = new(Fixtures.Haiku, Fixtures.Haiku);
        var file = folder.Write("model.gguf", export.Write(type).ToBytes());
        var (config, weights) = ModelLoader.Open(file);
        var tokenizer = Tokenizer.Load(file);
        var prompt = tokenizer.Encode("<|im_start|>user\nWrite a haiku about the sea<|im_end|>\n<|im_start|>assistant\n", true);

        var expected = Greedy.Continue(ModelConfig.Load(Fixtures.Haiku), export.Decoded, prompt, 40);
        Assert.Equal(expected, Greedy.Continue(config, weights, prompt, 40));
        TestContext.Current.SendDiagnosticMessage($"{type}: {tokenizer.Decode([.. expected], true)}");
    }

    [Fact]
    public void Merges_of_SentencePiece_follow_from_scores()
    {
        using TemporaryFolder folder = new();
        string[] tokens =
            ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"), "▁", "a", "b", "ab", "▁a", "▁ab", "é"];
        var types = tokens.Select((token, id) => id == 0 ? 2 : id <= 2 ? 3 : token.StartsWith("<0x", StringComparison.Ordinal) ? 6 : 1);
        var file = folder.Write("model.gguf", new GgufWriter()
            .Add("general.architecture", "llama")
            .Add("tokenizer.ggml.model", "llama")
            .Add("tokenizer.ggml.tokens", tokens)
            .Add("tokenizer.ggml.scores", [.. tokens.Select((_, id) => id < 259 ? 0f : -id)])
            .Add("tokenizer.ggml.token_type", [.. types])
            .Add("tokenizer.ggml.bos_token_id", 1u)
            .Add("tokenizer.ggml.eos_token_id", 2u)
            .Add("tokenizer.ggml.unknown_token_id", 0u)
            .ToBytes());
        GgufModel.Open(file);
        var tokenizer = Tokenizer.Load(file);

        // "ab" has a better score than "▁a", so it merges first; what is no token falls back to bytes.
        Assert.Equal(["<s>", "▁ab"], tokenizer.Encode("ab", true).Select(tokenizer.IdToToken));
        Assert.Equal(["▁ab", "a", "é", "▁a", "<0xC3>", "<0xBC>"], tokenizer.Encode("abaé aü", false).Select(tokenizer.IdToToken));
        Assert.Equal("abaé aü", tokenizer.Decode([.. tokenizer.Encode("abaé aü", true)], skipSpecialTokens: true));
        Assert.Equal(["<s>", "▁ab", "</s>", "▁a"], tokenizer.Encode("ab</s>a", true).Select(tokenizer.IdToToken));
    }

    [Theory]
    [InlineData("tokenizer.ggml.pre", "nobody-knows", "'nobody-knows'")]
    [InlineData("tokenizer.ggml.model", "bert", "'bert'")]
    public void What_a_tokenizer_is_not_known_to_be_is_refused_by_name(string key, string value, string named)
    {
        using TemporaryFolder folder = new();
        var writer = new GgufWriter().Add("general.architecture", "llama").Add("tokenizer.ggml.tokens", ["a", "b"]);
        writer.Add("tokenizer.ggml.model", key.EndsWith("model", StringComparison.Ordinal) ? value : "gpt2");
        writer.Add("tokenizer.ggml.merges", (string[])["a b"]);
        writer.Add("tokenizer.ggml.pre", key.EndsWith("pre", StringComparison.Ordinal) ? value : "gpt-2");
        var file = folder.Write("model.gguf", writer.ToBytes());
        GgufModel.Open(file);

        var error = Assert.Throws<CheckpointFormatException>(() => Tokenizer.Load(file));
        Assert.Contains(named, error.Message);
        Assert.Contains(key, error.Message);
    }

    private static string Mount(TemporaryFolder folder, string type = "F16")
    {
        var file = folder.Write("model.gguf", new GgufExport(Fixtures.Haiku, Fixtures.Haiku).Write(type).ToBytes());
        GgufModel.Open(file);
        return file;
    }
}
