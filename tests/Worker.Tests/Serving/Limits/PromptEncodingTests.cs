using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving.Limits;

/// <summary>However long a text is, no more of it is encoded than the model could take, and what fits is encoded as it always
/// was.</summary>
public sealed class PromptEncodingTests
{
    private const int MaxModelLength = 1024;
    private const string Words = "autumn moon  \n the frog jumps 古池や 🐸 él 12345 <|im_end|> ... a\t";

    private static readonly Tokenizer Haiku = Tokenizer.Load(Fixtures.Haiku);

    [Theory]
    [InlineData("word ")]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("古")]
    [InlineData("🐸")]
    [InlineData("\n\n\t")]
    [InlineData("<|im_end|>")]
    public void A_text_that_cannot_fit_is_refused_before_it_is_encoded_whole(string part)
    {
        var tokenizer = new MeteredTokenizer(Haiku);
        var text = Repeated(part, 10_000_000);

        var refusal = Assert.Throws<PromptTooLongException>(() => PromptEncoding.Encode(Model(tokenizer), text, true, "prompt"));

        Assert.Equal("prompt", refusal.Parameter);
        Assert.Contains("1024 tokens", refusal.Message, StringComparison.Ordinal);
        Assert.InRange(tokenizer.Characters, 0, 32L * MaxModelLength);
    }

    [Fact]
    public void Texts_are_refused_exactly_where_all_their_tokens_are_too_many()
    {
        var random = new Random(18);
        var refused = 0;
        for (var i = 0; i < 400; i++)
        {
            var text = Text(random, random.Next(0, 12_000));
            var whole = Haiku.Encode(text, addSpecialTokens: true);
            try
            {
                Assert.Equal(whole, PromptEncoding.Encode(Model(Haiku), text, true, "prompt"));
            }
            catch (PromptTooLongException)
            {
                Assert.True(whole.Count >= MaxModelLength, $"{whole.Count} tokens fit");
                refused++;
            }
        }

        Assert.InRange(refused, 20, 380);
    }

    [Fact]
    public void The_end_of_a_long_text_is_the_same_as_the_end_of_all_its_tokens()
    {
        var random = new Random(19);
        for (var i = 0; i < 200; i++)
        {
            var text = Text(random, random.Next(1, 60_000));
            var kept = random.Next(1, 200);
            var whole = Haiku.Encode(text, addSpecialTokens: true);

            Assert.Equal(whole.Skip(whole.Count - kept), PromptEncoding.Encode(Model(Haiku), text, true, "prompt", kept));
        }
    }

    [Fact]
    public void No_more_of_a_text_is_encoded_than_its_end_needs()
    {
        var tokenizer = new MeteredTokenizer(Haiku);

        var kept = PromptEncoding.Encode(Model(tokenizer), Repeated("the old pond ", 10_000_000), true, "prompt", kept: 100);

        Assert.Equal(100, kept.Count);
        Assert.InRange(tokenizer.Characters, 100, 1_000L * Haiku.MaxTokenLength);
    }

    [Fact]
    public void More_than_the_model_takes_can_be_counted_and_only_what_no_request_needs_is_refused()
    {
        var tokenizer = new MeteredTokenizer(Haiku);
        var countable = Repeated("x y ", 1 << 20);

        Assert.Equal(Haiku.Encode(countable, false), PromptEncoding.Count(Model(tokenizer), countable, false, "prompt"));
        Assert.Equal(1 << 20, tokenizer.Characters);
        Assert.Equal(
            "prompt has 1048577 characters; one request can tokenize at most 1048576: send it in parts",
            Assert.Throws<InvalidRequestException>(() => PromptEncoding.Count(Model(tokenizer), countable + "x", false, "prompt")).Message);
        Assert.Equal(1 << 20, tokenizer.Characters);
    }

    private static ServedModel Model(ITokenizer tokenizer) =>
        new(["haiku"], Fixtures.Haiku, new FakeEngine { MaxModelLength = MaxModelLength }, tokenizer, null, ["cpu"]);

    private static string Repeated(string part, int length) =>
        string.Concat(Enumerable.Repeat(part, length / part.Length + 1))[..(length / part.Length * part.Length)];

    /// <summary>Pieces of words, cut anywhere, half of a pair of surrogates too.</summary>
    private static string Text(Random random, int length)
    {
        var text = new System.Text.StringBuilder();
        while (text.Length < length)
        {
            var start = random.Next(Words.Length);
            text.Append(Words, start, random.Next(Words.Length - start) + 1);
        }

        return text.ToString();
    }
}
