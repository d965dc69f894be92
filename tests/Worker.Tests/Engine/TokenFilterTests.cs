using Cluster.Worker.Engine;
using static Cluster.Worker.Tests.Engine.TestEngines;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Tokens that a request rules out by name; that a device keeps to the same is <see cref="DeviceSamplingTests"/>'.</summary>
public class TokenFilterTests
{
    [Fact(Timeout = 30_000)]
    public async Task A_forbidden_word_of_one_token_never_comes()
    {
        var plain = Generation.Greedy(Vocab, Prompt, 10);
        await using var engine = NewEngine(Runner());

        var generation = await RunAsync(engine, Greedy with { BadWords = [((char)plain[0]).ToString()] });

        Assert.DoesNotContain(plain[0], generation.TokenIds);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_forbidden_word_of_several_tokens_is_left_at_its_last()
    {
        var plain = Generation.Greedy(Vocab, Prompt, 10);
        var word = string.Concat(plain[2..5].Select(token => (char)token));
        await using var engine = NewEngine(Runner());

        var generation = await RunAsync(engine, Greedy with { BadWords = [word] });

        Assert.Equal(plain[..4], generation.TokenIds[..4]);
        Assert.NotEqual(plain[4], generation.TokenIds[4]);
        Assert.DoesNotContain(word, string.Concat(generation.TokenIds.Select(token => (char)token)), StringComparison.Ordinal);
    }

    [Fact(Timeout = 30_000)]
    public async Task Only_allowed_tokens_come_and_each_sample_keeps_to_them()
    {
        await using var engine = NewEngine(Runner());
        var sampling = new SamplingParameters
        {
            N = 3,
            Seed = 5,
            MaxTokens = 30,
            IgnoreEos = true,
            AllowedTokenIds = [40, 41, 63],
            BadWords = [")"]
        };

        var generations = await Generation.CollectAllAsync(engine.GenerateAsync(Request(sampling), CancellationToken.None));

        Assert.Equal([40, 63], generations.SelectMany(one => one.TokenIds).Distinct().Order());
    }

    [Fact(Timeout = 30_000)]
    public async Task A_request_that_leaves_itself_no_token_is_at_fault_itself()
    {
        await using var engine = NewEngine(Runner());
        var sampling = Greedy with { AllowedTokenIds = [41], BadWords = [")"] };

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, sampling));

        Assert.True(failure.IsRequestsFault);
        Assert.Contains("bad_words, allowed_token_ids", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_is_forbidden_behind_a_space_where_that_is_another_token()
    {
        var filter = TokenFilter.Compile(new SamplingParameters { BadWords = [" sea"] }, new SpacingTokenizer(), 100)!;

        Assert.Equal([1, 2], filter.Forbidden([]).Order());
        Assert.Equal(0, filter.TailLength);
    }

    /// <summary>"sea" is token 1, " sea" token 2.</summary>
    private sealed class SpacingTokenizer : Cluster.Worker.Tokenization.ITokenizer
    {
        public int VocabSize => 3;

        public IReadOnlyList<int> Encode(string text, bool addSpecialTokens) => text == "sea" ? [1] : text == " sea" ? [2] : [0];

        public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens) => throw new NotSupportedException();

        public int? TokenToId(string token) => null;

        public string? IdToToken(int id) => null;

        public byte[]? TokenBytes(int id) => null;

        public bool IsSpecial(int id) => false;
    }
}
