using System.Text.RegularExpressions;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Structured output behind a part that is free.</summary>
public sealed class ConstraintDelayTests
{
    private const int Eos = 256;
    private const int Think = 257;
    private const int EndThink = 258;
    private const string Pattern = "[a-c]{4,9}";

    private static readonly ByteTokenizer Tokenizer = new(["</s>", "<think>", "</think>"]);
    private static readonly ConstraintDelay Behind = new(["</think>"]);
    private static readonly ConstraintDelay IfThinking = new(["</think>"]) { Openings = ["<think>"] };

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 12)];

    [Theory, MemberData(nameof(Seeds))]
    public async Task What_comes_before_the_mark_is_free_and_what_comes_behind_keeps_to_the_pattern(int seed)
    {
        await using var engine = Engine();
        var result = await RunAsync(engine, Sampling(seed, Behind));

        var end = Array.IndexOf(result.TokenIds, EndThink);
        Assert.InRange(end, 0, int.MaxValue);
        Assert.Matches($"^{Pattern}$", Text(result.TokenIds[(end + 1)..]));
        Assert.True(seed % 4 == 0 || !Regex.IsMatch(Text(result.TokenIds[..end]), $"^{Pattern}$"));
        Assert.Equal(FinishReason.Stop, result.Last.FinishReason);
    }

    [Theory, MemberData(nameof(Seeds))]
    public async Task An_output_may_think_first_or_answer_at_once(int seed)
    {
        await using var engine = Engine(openingBias: seed % 2 == 0 ? 6 : -6);
        var result = await RunAsync(engine, Sampling(seed, IfThinking));

        Assert.Equal(seed % 2 == 0, result.TokenIds[0] == Think);
        var answer = result.TokenIds[(Array.IndexOf(result.TokenIds, EndThink) + 1)..];
        Assert.Matches($"^{Pattern}$", Text(answer));
    }

    [Fact]
    public async Task A_mark_may_take_several_tokens()
    {
        // The model repeats the mark after some tokens.
        const string Mark = "So: ";
        await using var engine = Engine(onLogits: (context, row) =>
        {
            var at = context.Length - 3 - 6;
            if (at >= 0 && at < Mark.Length)
            {
                row[Mark[at]] += 100;
            }
        });
        var result = await RunAsync(engine, Sampling(1, new ConstraintDelay(["never", Mark])));

        Assert.Equal(Mark, Text(result.TokenIds[6..10]));
        Assert.Matches($"^{Pattern}$", Text(result.TokenIds[10..]));
    }

    [Fact]
    public async Task Nothing_changes_with_speculation_little_memory_and_neighbours()
    {
        var (preemptions, accepted) = (0L, 0L);
        for (var seed = 0; seed < 12; seed++)
        {
            var (preempted, drafts) = await CompareAsync(seed);
            (preemptions, accepted) = (preemptions + preempted, accepted + drafts);
        }

        Assert.InRange(preemptions, 10, long.MaxValue);
        Assert.InRange(accepted, 1, long.MaxValue);
    }

    private static async Task<(long Preemptions, long Accepted)> CompareAsync(int seed)
    {
        var requests = Enumerable.Range(0, 8)
            .Select(index => Sampling(seed * 8 + index, index % 2 == 0 ? Behind : IfThinking) with { MaxTokens = 150 }).ToArray();
        await using var alone = Engine();
        await using var crowded = Engine(
            numBlocks: 12, proposer: new NgramProposer(1, 2),
            options: new EngineOptions { NumSpeculativeTokens = 4, MaxNumBatchedTokens = 24 });

        var together = await Task.WhenAll(requests.Select(request => RunAsync(crowded, request)));

        for (var i = 0; i < requests.Length; i++)
        {
            Assert.Equal((await RunAsync(alone, requests[i])).TokenIds, together[i].TokenIds);
        }

        return (crowded.Statistics.Preemptions, crowded.Statistics.Speculation!.NumAcceptedTokens);
    }

    /// <summary>The opening's first letter may begin an answer, too.</summary>
    [Theory, MemberData(nameof(Seeds))]
    public async Task An_opening_may_take_several_tokens(int seed)
    {
        var delay = new ConstraintDelay(["</think>"]) { Openings = ["ab: "] };
        await using var engine = Engine(onLogits: (context, row) =>
        {
            row[context.Length == 3 ? 'a' : 'b'] += context.Length < 5 ? 40 : 0;
            row[':'] += context.Length == 5 ? 4 * (seed % 3 - 1) : 0;
        });
        var result = await RunAsync(engine, Sampling(seed, delay));

        var isFree = result.TokenIds[2] == ':';
        Assert.Equal(isFree ? "ab: " : "ab", Text(result.TokenIds[..(isFree ? 4 : 2)]));
        Assert.Equal(isFree, result.TokenIds.Contains(EndThink));
        Assert.Matches($"^{Pattern}$", Text(result.TokenIds[(Array.IndexOf(result.TokenIds, EndThink) + 1)..]));
    }

    [Fact]
    public async Task Every_sample_has_its_own_free_part()
    {
        await using var engine = Engine();
        var together = await Generation.CollectAllAsync(
            engine.GenerateAsync(Request(Sampling(5, Behind) with { N = 4 }), CancellationToken.None));

        for (var i = 0; i < together.Length; i++)
        {
            Assert.Equal((await RunAsync(engine, Sampling(5 + i, Behind))).TokenIds, together[i].TokenIds);
        }
    }

    [Fact]
    public async Task Beams_keep_to_the_pattern_behind_the_mark()
    {
        await using var engine = Engine(onLogits: static (_, row) => row[EndThink] += 4);
        var beams = await Generation.CollectAllAsync(engine.GenerateAsync(
            Request(new SamplingParameters
            {
                N = 3,
                Temperature = 0,
                Beams = new BeamParameters(),
                MaxTokens = 40,
                Constraint = new Constraint.Regex(Pattern),
                ConstraintDelay = Behind,
            }),
            CancellationToken.None));

        Assert.Contains(beams, beam => beam.Last.FinishReason == FinishReason.Stop && beam.TokenIds.Contains(EndThink));
        Assert.All(beams.Where(beam => beam.Last.FinishReason == FinishReason.Stop && beam.TokenIds.Contains(EndThink)), beam =>
            Assert.Matches($"^{Pattern}$", Text(beam.TokenIds[(Array.IndexOf(beam.TokenIds, EndThink) + 1)..])));
    }

    [Fact]
    public void Kept_special_tokens_are_text_and_the_others_are_not()
    {
        var detokenizer = new Detokenizer(Tokenizer, [Think, 'a'], skipSpecialTokens: true, keptSpecialTokens: [EndThink]);

        Assert.Equal(["b", "", "</think>", "c"], new[] { 'b', Think, EndThink, 'c' }.Select(detokenizer.Append));
    }

    private static SamplingParameters Sampling(int seed, ConstraintDelay delay) => new()
    {
        Constraint = new Constraint.Regex(Pattern),
        ConstraintDelay = delay,
        Seed = seed,
        MaxTokens = 400,
        Temperature = 0.8f,
    };

    private static GenerationRequest Request(SamplingParameters sampling) => new(Guid.NewGuid().ToString(), [1, 2, 3], sampling);

    private static Task<Generation> RunAsync(LlmEngine engine, SamplingParameters sampling) =>
        Generation.CollectAsync(engine.GenerateAsync(Request(sampling), CancellationToken.None));

    private static string Text(int[] tokens) => Tokenizer.Decode(tokens, skipSpecialTokens: true);

    private static LlmEngine Engine(
        float openingBias = 0, int numBlocks = 1024, Action<int[], float[]>? onLogits = null, IDraftProposer? proposer = null,
        EngineOptions? options = null)
    {
        var runner = new FakeModelRunner(Tokenizer.VocabSize, 16, numBlocks, 500)
        {
            OnLogits = (context, row) =>
            {
                // No end within the thinking, and an end of it soon.
                row[Eos] = context.Contains(EndThink) ? row[Eos] : -50;
                row[EndThink] += 1;
                row[Think] += openingBias;
                onLogits?.Invoke(context, row);
            },
        };
        return new LlmEngine(
            runner, Tokenizer, (options ?? new EngineOptions()) with { EosTokenIds = [Eos], Seed = 1 }, TimeProvider.System, proposer);
    }
}
