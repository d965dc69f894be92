using Cluster.Worker.Compute;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The engine on the sample model gives what it gives when the host chooses all tokens. A device is put to these tests by a class
/// that makes its backend.</summary>
[Trait(Category.Name, Category.Slow)]
public abstract class DeviceSamplingTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(Fixtures.Haiku);

    /// <summary>Requests that run at once.</summary>
    private protected abstract int NumRequests { get; }

    /// <summary>Tokens of each.</summary>
    private protected abstract int NumTokens { get; }

    [Fact]
    public Task Texts_are_those_of_tokens_that_the_host_chooses() => AssertTheHostsAsync(stepsPerPlan: 1, inBackground: false);

    [Fact]
    public Task The_same_holds_for_plans_of_several_steps_in_the_background() => AssertTheHostsAsync(stepsPerPlan: 4, inBackground: true);

    private protected abstract Backend Create();

    private async Task AssertTheHostsAsync(int stepsPerPlan, bool inBackground)
    {
        var random = new Random(stepsPerPlan);
        var requests = Enumerable.Range(0, NumRequests).Select(index => (Prompt(random), Sampling(random, index))).ToArray();

        var (onHost, none) = await RunAsync(requests, onDevice: false, stepsPerPlan, inBackground);
        var (onDevice, drawn) = await RunAsync(requests, onDevice: true, stepsPerPlan, inBackground);

        Assert.Equal(0, none);
        Assert.InRange(drawn, NumRequests, int.MaxValue);
        for (var i = 0; i < requests.Length; i++)
        {
            Assert.Equal(onHost[i].Select(one => one.Text), onDevice[i].Select(one => one.Text));
            Assert.Equal(onHost[i].SelectMany(one => one.TokenIds), onDevice[i].SelectMany(one => one.TokenIds));
            Assert.Equal(onHost[i].Select(one => one.Last.FinishReason), onDevice[i].Select(one => one.Last.FinishReason));
            var logprobs = onHost[i].SelectMany(one => one.Logprobs).Zip(onDevice[i].SelectMany(one => one.Logprobs));
            Assert.All(logprobs, pair =>
            {
                Assert.Equal(pair.First.Sampled.TokenId, pair.Second.Sampled.TokenId);
                Assert.Equal(pair.First.Sampled.Logprob, pair.Second.Sampled.Logprob, 2e-6);
                Assert.Equal(pair.First.Top, pair.Second.Top);
            });
        }
    }

    private int[] Prompt(Random random) => [.. Enumerable.Range(0, 1 + random.Next(NumTokens)).Select(_ => 300 + random.Next(500))];

    private SamplingParameters Sampling(Random random, int index)
    {
        var sampling = new SamplingParameters
        {
            Temperature = random.Next(4) == 0 ? 0 : 0.3f + (1.5f * random.NextSingle()),
            TopP = random.Next(2) == 0 ? 0.5f + (0.49f * random.NextSingle()) : 1,
            TopK = random.Next(2) == 0 ? 1 + random.Next(60) : 0,
            MinP = random.Next(3) == 0 ? 0.2f * random.NextSingle() : 0,
            RepetitionPenalty = random.Next(3) == 0 ? 1.2f : 1,
            PresencePenalty = random.Next(3) == 0 ? 0.7f : 0,
            FrequencyPenalty = random.Next(3) == 0 ? 0.3f : 0,
            LogitBias = random.Next(3) == 0 ? new Dictionary<int, float> { [random.Next(500)] = 3, [random.Next(500)] = -100 } : null,
            Seed = random.Next(),
            MinTokens = random.Next(3) == 0 ? Math.Min(3, NumTokens) : 0,
            MaxTokens = NumTokens,
            BadWords = random.Next(3) == 0 ? ["the", "an old", "e"] : [],
            AllowedTokenIds = random.Next(4) == 0 ? [.. Enumerable.Range(0, 700)] : null,
            Logprobs = random.Next(3) == 0 ? 0 : null,
        };
        return (index % 7) switch
        {
            1 => sampling with
            {
                AllowedTokenIds = null,
                Constraint = new Constraint.Regex("[a-z ]{5,40}"),
                ConstraintDelay = index % 2 == 0 ? new ConstraintDelay(["e"]) : null,
            },
            2 => sampling with { Logprobs = 3 },
            3 => sampling with { N = 2 },
            4 => sampling with { BestOf = 2 },
            5 => new SamplingParameters { Temperature = 0, BestOf = 2, Beams = new BeamParameters(), MaxTokens = NumTokens, BadWords = ["the"] },
            6 => sampling with { PromptLogprobs = 2 },
            _ => sampling,
        };
    }

    private async Task<(Generation[][] Generations, int Drawn)> RunAsync(
        (int[] Prompt, SamplingParameters Sampling)[] requests, bool onDevice, int stepsPerPlan, bool inBackground)
    {
        var options = new ModelRunnerOptions { MaxSequences = 16, MaxModelLength = 128, MaxBatchedTokens = 256, SampleOnDevice = onDevice };
        var counter = new DrawCounter(ModelLoader.Load(Fixtures.Haiku, Create(), options).Runner);
        await using var engine = new LlmEngine(
            inBackground ? new BackgroundRunner(counter) : counter,
            Tokenizer,
            new EngineOptions { EosTokenIds = [.. ModelConfig.Load(Fixtures.Haiku).EosTokenIds], NumSchedulerSteps = stepsPerPlan },
            TimeProvider.System);
        var generations = await Task.WhenAll(requests.Select((request, index) => Generation.CollectAllAsync(
            engine.GenerateAsync(new GenerationRequest($"{index}", request.Prompt, request.Sampling), CancellationToken.None))));
        return (generations, counter.Count);
    }

    private sealed class DrawCounter(IModelRunner runner) : DelegatingRunner(runner)
    {
        public int Count { get; private set; }

        public override void Launch(StepBatch batch)
        {
            Count += batch.Draws.Count;
            base.Launch(batch);
        }
    }
}
