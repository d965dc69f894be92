using Cluster.Worker.Tests.Serving;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

public sealed class SpecialTokenNamesTests
{
    [Theory]
    [InlineData("""{"eos_token": "</s>"}""", "{}", FakeTokenizer.Eos)]
    [InlineData("""{"eos_token": {"content": "</s>", "lstrip": false}}""", """{"eos_token": "<s>"}""", FakeTokenizer.Eos)]
    [InlineData("{}", """{"eos_token": "<|im_end|>"}""", 3)]
    [InlineData("""{"eos_token": null}""", """{"eos_token": "<|im_end|>"}""", 3)]
    [InlineData("""{"eos_token": "<nowhere>"}""", "{}", null)]
    [InlineData("{}", "{}", null)]
    public void The_tokenizers_word_for_the_end_of_a_sequence_is_found(string config, string map, int? expected)
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", config).With("special_tokens_map.json", map);

        Assert.Equal(expected, SpecialTokenNames.EndOfSequence(folder.Path, new FakeTokenizer()));
    }
}
