using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class DetokenizerTests
{
    private static readonly string[] Alphabet = ["a", "B", " ", "é", "ß", "你", "好", "→", "👍", "👩‍👩‍👧", "🏳️‍🌈", "\n", "𝔘"];

    [Fact]
    public void Bytes_of_random_text_come_out_as_that_text_and_never_as_half_a_character()
    {
        var random = new Random(1);
        Assert.All(Enumerable.Range(0, 200), round =>
        {
            var text = RandomText(random, 60);
            var tokenizer = new ByteTokenizer();
            var pieces = Stream(tokenizer, [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)], out _);

            Assert.Equal(text, string.Concat(pieces));
            Assert.All(pieces, AssertWholeCharacters);
        });
    }

    [Fact]
    public void Tokens_of_several_bytes_that_all_end_inside_a_character_still_come_out_whole()
    {
        var random = new Random(2);
        Assert.All(Enumerable.Range(0, 200), round =>
        {
            var bytes = Encoding.UTF8.GetBytes(RandomText(random, 60));
            var longs = new List<byte[]>();
            for (var at = 0; at < bytes.Length;)
            {
                var length = Math.Min(random.Next(1, 6), bytes.Length - at);
                longs.Add(bytes[at..(at + length)]);
                at += length;
            }

            var pieces = Stream(new ByteTokenizer(longTokens: [.. longs]), [.. Enumerable.Range(256, longs.Count)], out _);

            Assert.Equal(Encoding.UTF8.GetString(bytes), string.Concat(pieces));
            Assert.All(pieces, AssertWholeCharacters);
        });
    }

    [Fact]
    public void A_text_whose_every_token_ends_inside_a_character_is_not_held_back_for_ever()
    {
        // 你 = E4 BD A0; tokens: E4 BD | A0 E4 BD | A0 E4 BD | …
        var tokenizer = new ByteTokenizer(longTokens: [[0xE4, 0xBD], [0xA0, 0xE4, 0xBD], [0xA0]]);
        int[] tokens = [256, .. Enumerable.Repeat(257, 200), 258];

        var pieces = Stream(tokenizer, tokens, out var flushed);

        Assert.Equal(new string('你', 201), string.Concat(pieces));
        Assert.All(pieces, AssertWholeCharacters);
        Assert.Equal("", flushed);
        Assert.True(pieces.Take(20).Sum(piece => piece.Length) > 10);
    }

    [Fact]
    public void Random_garbage_comes_out_as_the_tokenizer_decodes_it_at_once()
    {
        var random = new Random(3);
        Assert.All(Enumerable.Range(0, 500), round =>
        {
            // Lead and continuation bytes are likely, so that cut and overlong characters abound.
            int[] tokens = [.. Enumerable.Range(0, 80).Select(_ => random.Next(4) switch
            {
                0 => random.Next(0xE0, 0xF8),
                1 or 2 => random.Next(0x80, 0xC0),
                _ => random.Next(256),
            })];
            var tokenizer = new ByteTokenizer();

            Assert.Equal(tokenizer.Decode(tokens, true), string.Concat(Stream(tokenizer, tokens, out _)));
        });
    }

    [Theory]
    [InlineData("text")]
    [InlineData("garbage")]
    [InlineData("special")]
    [InlineData("replacement")]
    public void Cost_is_linear_in_the_tokens_whatever_they_are(string kind)
    {
        const int Length = 4000;
        var tokenizer = new ByteTokenizer(specialTokens: ["<eos>"], longTokens: [[0xEF, 0xBF, 0xBD]]);
        var token = kind switch { "text" => 'x', "garbage" => 0xFF, "special" => 256, _ => 257 };

        Stream(tokenizer, [.. Enumerable.Repeat((int)token, Length)], out _);

        Assert.True(tokenizer.DecodedIds < 40 * Length, $"{tokenizer.DecodedIds} ids decoded for {Length} tokens");
    }

    [Fact]
    public void The_end_flushes_a_cut_character_as_a_replacement()
    {
        var pieces = Stream(new ByteTokenizer(), ['h', 'i', 0xE4, 0xBD], out var flushed);

        Assert.Equal("hi\uFFFD", string.Concat(pieces));
        Assert.Equal("\uFFFD", flushed);
    }

    [Fact]
    public void Special_tokens_show_only_when_asked()
    {
        var tokenizer = new ByteTokenizer(specialTokens: ["<end>"]);

        Assert.Equal("ab", string.Concat(Stream(tokenizer, ['a', 256, 'b'], out _)));
        Assert.Equal("a<end>b", string.Concat(Stream(tokenizer, ['a', 256, 'b'], out _, skipSpecialTokens: false)));
    }

    [Fact]
    public void The_prompt_is_context_and_no_output()
    {
        var detokenizer = new Detokenizer(new ByteTokenizer(), [.. Encoding.UTF8.GetBytes("a long prompt").Select(b => (int)b)], true);

        Assert.Equal("x", detokenizer.Append('x'));
        Assert.Equal("", detokenizer.Flush());
    }

    private static List<string> Stream(ByteTokenizer tokenizer, int[] tokens, out string flushed, bool skipSpecialTokens = true)
    {
        var detokenizer = new Detokenizer(tokenizer, ['p'], skipSpecialTokens);
        var pieces = tokens.Select(detokenizer.Append).ToList();
        flushed = detokenizer.Flush();
        pieces.Add(flushed);
        return pieces;
    }

    private static void AssertWholeCharacters(string piece)
    {
        Assert.DoesNotContain('\uFFFD', piece);
        Assert.Equal(piece, new string(piece.EnumerateRunes().SelectMany(rune => rune.ToString()).ToArray()));
    }

    private static string RandomText(Random random, int length) =>
        string.Concat(Enumerable.Range(0, length).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
}
