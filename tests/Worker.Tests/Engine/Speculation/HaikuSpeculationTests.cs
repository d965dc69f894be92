using System.Text.Json.Nodes;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Parallel;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Engine.Speculation;

/// <summary>The sample model with its draft model on the CPU backend: the same bits with speculation as without.</summary>
public sealed class HaikuSpeculationTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(Fixtures.Haiku);

    private static readonly int[][] Prompts =
        [.. new[] { "chat", "completions" }.SelectMany(kind => JsonNode.Parse(File.ReadAllText(Fixtures.HaikuExpected))![kind]!.AsArray())
            .Select(one => one!["prompt_ids"]!.AsArray().Select(id => (int)id!).ToArray())];

    [Theory]
    [InlineData("draft model", 1, 1)]
    [InlineData("draft model", 4, 1)]
    [InlineData("draft model", 4, 2)]
    [InlineData("look-up", 4, 1)]
    [InlineData("look-up", 4, 2)]
    public async Task Tokens_and_logits_are_those_of_plain_decoding(string kind, int numTokens, int ranks)
    {
        await using var plain = Start(null, 1, ranks);
        await using var speculating = Start(kind, numTokens, ranks);

        var expected = await RunAsync(plain);
        var actual = await RunAsync(speculating);

        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].TokenIds, actual[i].TokenIds);
            Assert.Equal(expected[i].Text, actual[i].Text);
            Assert.Equal(Bits(expected[i]), Bits(actual[i]));
        }

        var speculation = speculating.Statistics.Speculation!;
        Assert.True(speculation.NumAcceptedTokens > 0, $"{speculation}");
        Assert.Equal(0, speculating.Statistics.KvCacheUsage);
    }

    /// <summary>Log-probabilities are a function of every logit, so equal bits here are equal logits.</summary>
    private static IEnumerable<(int, int)> Bits(Generation generation) => generation.Logprobs
        .SelectMany(position => position.Top.Append(position.Sampled))
        .Select(one => (one.TokenId, BitConverter.SingleToInt32Bits(one.Logprob)));

    private static Task<Generation[]> RunAsync(LlmEngine engine) =>
        Task.WhenAll(Prompts.Select((prompt, index) => Generation.CollectAsync(engine.GenerateAsync(
        new GenerationRequest(
            $"{index}", prompt,
            new SamplingParameters { Temperature = index % 2 == 0 ? 0 : 0.9f, TopP = 0.95f, Seed = index, MaxTokens = 40, Logprobs = 20 }),
            CancellationToken.None))));

    /// <param name="ranks">Of the model; a draft model is whole.</param>
    private static LlmEngine Start(string? kind, int numTokens, int ranks)
    {
        var options = new ModelRunnerOptions { MaxSequences = 16, MaxLogits = 96, MaxModelLength = 512, MaxBatchedTokens = 1024 };
        var runner = ranks == 1
            ? ModelLoader.Load(Fixtures.Haiku, CpuBackend.Create(new CpuOptions()), options).Runner
            : (IModelRunner)CpuRanks.Load(Fixtures.Haiku, ranks, options).Runner;
        IDraftProposer? proposer = kind switch
        {
            null => null,
            "look-up" => new NgramProposer(1, 4),
            _ => new DraftModelProposer(
                ModelLoader.Load(Fixtures.HaikuDraft, CpuBackend.Create(new CpuOptions { Threads = 1 }), options).Runner, runner.VocabSize),
        };
        return new LlmEngine(
            runner,
            Tokenizer,
            new EngineOptions { NumSpeculativeTokens = numTokens, EosTokenIds = [.. ModelConfig.Load(Fixtures.Haiku).EosTokenIds] },
            TimeProvider.System,
            proposer);
    }
}
