using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Engine.Speculation;

public class NgramProposerTests
{
    [Fact]
    public void The_longest_repeated_ending_decides() =>
        Assert.Equal([7, 8], Propose([1, 2, 3, 7, 8, 9, 3, 5, 1, 2, 3], minLength: 1, maxLength: 3, maxTokens: 2));

    [Fact]
    public void Of_equal_endings_the_latest_decides() =>
        Assert.Equal([6, 1, 2], Propose([1, 2, 5, 1, 2, 6, 1, 2], minLength: 1, maxLength: 4, maxTokens: 3));

    [Fact]
    public void A_text_that_repeats_is_drafted_as_repeating() =>
        Assert.Equal([3, 1, 2, 3, 1, 2, 3], Propose([9, 1, 2, 3, 1, 2], minLength: 1, maxLength: 4, maxTokens: 7));

    [Fact]
    public void One_token_over_and_over_is_drafted_over_and_over() =>
        Assert.Equal([4, 4, 4, 4, 4], Propose([4, 4], minLength: 1, maxLength: 4, maxTokens: 5));

    [Fact]
    public void An_ending_shorter_than_the_minimum_is_no_reason_to_guess() =>
        Assert.Empty(Propose([1, 2, 3, 9, 3], minLength: 2, maxLength: 4, maxTokens: 5));

    [Fact]
    public void A_text_without_repetition_has_no_draft() => Assert.Empty(Propose([1, 2, 3, 4], minLength: 1, maxLength: 4, maxTokens: 5));

    [Fact]
    public void A_single_token_has_no_draft() => Assert.Empty(Propose([1], minLength: 1, maxLength: 4, maxTokens: 5));

    [Fact]
    public void Finds_what_a_search_token_by_token_finds()
    {
        var random = new Random(5);
        Assert.All(Enumerable.Range(0, 500), round =>
        {
            var tokens = Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(4)).ToArray();
            var (min, most) = (random.Next(1, 3), random.Next(1, 6));
            var max = min + random.Next(3);
            Assert.Equal(Naive(tokens, min, max, most), Propose(tokens, min, max, most));
        });
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 2)]
    public void Lengths_out_of_order_are_refused(int minLength, int maxLength) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new NgramProposer(minLength, maxLength));

    private static int[] Naive(int[] tokens, int min, int max, int most)
    {
        for (var length = max; length >= min; length--)
        {
            for (var start = tokens.Length - length - 1; start >= 0; start--)
            {
                if (tokens.Skip(start).Take(length).SequenceEqual(tokens.TakeLast(length)) && length < tokens.Length)
                {
                    var text = tokens.ToList();
                    for (var i = 0; i < most; i++)
                    {
                        text.Add(text[start + length + i]);
                    }

                    return [.. text.TakeLast(most)];
                }
            }
        }

        return [];
    }

    private static int[] Propose(int[] tokens, int minLength, int maxLength, int maxTokens)
    {
        var sequence = new Sequence(tokens);
        using var proposer = new NgramProposer(minLength, maxLength);
        proposer.Propose([new DraftRequest(sequence, new SamplingState(new SamplingParameters(), tokens, 1, []), maxTokens)]);
        return sequence.Draft.ToArray();
    }
}
