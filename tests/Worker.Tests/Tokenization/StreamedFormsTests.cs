using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>What a stream shows token by token is the text at its end, whichever form the tokenizer has.</summary>
public sealed class StreamedFormsTests
{
    [Theory]
    [InlineData("bpe")]
    [InlineData("bpe-without-prefix")]
    [InlineData("unigram-bytes")]
    [InlineData("unigram-nmt-nfkc")]
    [InlineData("tekken")]
    [InlineData("words")]
    public void The_stream_of_a_text_is_the_text(string form)
    {
        using var folder = form switch
        {
            "tekken" => new TemporaryFolder().With(
                "tekken.json", TokenizerForms.Tekken([.. TokenizerForms.Bytes], ["<unk>", "<s>"], 2, KnownRegexes.Llama3)),
            "words" => new TemporaryFolder().With("vocab.txt", string.Join('\n', TinyWordPiece.Vocabulary())),
            _ => Copy(form),
        };
        var tokenizer = Tokenizer.Load(folder.Path);
        Random random = new(8);
        Assert.All(Enumerable.Range(0, 100), _ =>
        {
            int[] prompt = [.. tokenizer.Encode(RandomText.Make(random, 10), addSpecialTokens: true)];
            int[] output = [.. tokenizer.Encode(RandomText.Make(random, 30), addSpecialTokens: false)];
            Detokenizer detokenizer = new(tokenizer, prompt, skipSpecialTokens: true);
            var streamed = string.Concat(output.Select(detokenizer.Append)) + detokenizer.Flush();
            var context = prompt[^Math.Min(5, prompt.Length)..];
            var whole = tokenizer.Decode([.. context, .. output], skipSpecialTokens: true);
            Assert.Equal(whole[tokenizer.Decode(context, skipSpecialTokens: true).Length..], streamed);
        });
    }

    private static TemporaryFolder Copy(string model)
    {
        TemporaryFolder folder = new();
        folder.Write(
            "tokenizer.model",
            File.ReadAllBytes(Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "tokenizers", model, "tokenizer.model")));
        return folder;
    }
}
