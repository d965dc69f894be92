using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Engine.Beams;
using Cluster.Worker.Tests.Engine.Constraints;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The whole engine on the sample model, against Hugging Face's greedy texts, and against itself under other circumstances. What
/// runs the model is put to these tests by a class that loads it.</summary>
[Trait(Category.Name, Category.Slow)]
public abstract class HaikuEngineTests
{
    private static readonly JsonNode Expected = JsonNode.Parse(File.ReadAllText(Fixtures.HaikuExpected))!;

    private static readonly Tokenizer Tokenizer = Tokenizer.Load(Fixtures.Haiku);

    /// <summary>Every prompt of the reference with its output.</summary>
    private static readonly (int[] Prompt, int[] Output, string Text, int MaxTokens)[] References =
        [.. Expected["chat"]!.AsArray().Concat(Expected["completions"]!.AsArray()).Select(one =>
        {
            var output = Ids(one!["output_ids"]!);
            return (
                Ids(one["prompt_ids"]!), output, (string)one["text"]!, output.Length + ((string)one["finish_reason"]! == "stop" ? 1 : 0));
        })];

    [Fact]
    public async Task Greedy_texts_are_those_of_the_reference_when_all_run_at_once()
    {
        await using var engine = Start();

        var results = await Task.WhenAll(
            References.Select((reference, index) => RunAsync(engine, $"{index}", reference.Prompt, Greedy(reference.MaxTokens))));

        for (var i = 0; i < References.Length; i++)
        {
            Assert.Equal(References[i].Text, results[i].Text);
            Assert.Equal(References[i].Output, results[i].Ids.Take(References[i].Output.Length));
        }

        Assert.Equal(0, engine.Statistics.Running);
        Assert.Equal(0, engine.Statistics.KvCacheUsage);
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_reference()
    {
        await using var engine = Start();
        foreach (var one in Expected["chat"]!.AsArray())
        {
            var reference = one!["logprobs"]!.AsArray();
            var result = await RunAsync(engine, "one", Ids(one["prompt_ids"]!), Greedy(reference.Count) with { Logprobs = 5 });
            for (var i = 0; i < reference.Count; i++)
            {
                Assert.Equal((int)reference[i]!["id"]!, result.Logprobs[i].Sampled.TokenId);
                Assert.Equal((float)reference[i]!["logprob"]!, result.Logprobs[i].Sampled.Logprob, 1e-3f);
                Assert.Equal(
                    reference[i]!["top"]!.AsObject().Select(pair => (float)pair.Value!).OrderDescending(),
                    result.Logprobs[i].Top.Select(top => top.Logprob),
                    (expected, actual) => Math.Abs(expected - actual) < 1e-3);
            }
        }
    }

    [Fact]
    public async Task Log_probabilities_of_a_prompt_are_those_of_the_reference()
    {
        await using var engine = Start();
        foreach (var one in Expected["chat"]!.AsArray().Concat(Expected["completions"]!.AsArray()))
        {
            var reference = one!["logprobs"]!.AsArray();
            var prompt = Ids(one["prompt_ids"]!);
            var scored = await ScoreAsync(engine, [.. prompt, .. Ids(one["output_ids"]!).Take(reference.Count)]);
            for (var i = 0; i < reference.Count; i++)
            {
                var (own, top) = scored[prompt.Length + i]!.Logprobs;
                Assert.Equal(((int)reference[i]!["id"]!, 1), (own.TokenId, scored[prompt.Length + i]!.Rank));
                Assert.Equal((float)reference[i]!["logprob"]!, own.Logprob, 1e-3f);
                Assert.All(
                    reference[i]!["top"]!.AsObject().Zip(top), pair => Assert.Equal((float)pair.First.Value!, pair.Second.Logprob, 1e-3f));
            }
        }
    }

    [Fact]
    public async Task Perplexity_by_log_probabilities_of_the_prompt_is_the_references()
    {
        await using var engine = Start(new EngineOptions { MaxNumBatchedTokens = 100 });
        var windows = Ids(Expected["perplexity"]!["input_ids"]!).Chunk((int)Expected["perplexity"]!["window"]!);
        var scored = await Task.WhenAll(windows.Select((window, index) => ScoreAsync(engine, window, $"{index}")));

        var perplexity = Math.Exp(
            -scored.SelectMany(positions => positions.Skip(1)).Average(position => (double)position!.Logprobs.Sampled.Logprob));

        Assert.Equal((double)Expected["perplexity"]!["value"]!, perplexity, 1e-3);
    }

    /// <summary>The reference asks for one next token at a time and does all else by itself.</summary>
    [Theory]
    [InlineData(1, 1f)]
    [InlineData(4, 0f)]
    [InlineData(4, 2f)]
    public async Task Beams_are_those_of_the_obvious_algorithm(int width, float lengthPenalty)
    {
        await using var engine = Start();
        int[] stopTokens = [.. ModelConfig.Load(Fixtures.Haiku).EosTokenIds];
        foreach (var reference in References.Take(3))
        {
            var sampling = Greedy(10) with { N = width, Beams = new BeamParameters(lengthPenalty) };
            double[] Logprobs(int[] prompt, int[] output)
            {
                var logprobs = new double[engine.VocabSize];
                Array.Fill(logprobs, double.NegativeInfinity);
                var next = RunAsync(engine, "next", [.. prompt, .. output], Greedy(1) with { Logprobs = 20 }).GetAwaiter().GetResult();
                foreach (var top in next.Logprobs[0].Top)
                {
                    logprobs[top.TokenId] = top.Logprob;
                }

                return logprobs;
            }

            var expected = await Task.Run(() => new NaiveBeamSearch(Logprobs, sampling, stopTokens, _ => "").Run(reference.Prompt, 10));
            var actual = await Generation.CollectAllAsync(
                engine.GenerateAsync(new GenerationRequest("beams", reference.Prompt, sampling), CancellationToken.None));

            Assert.Equal(
                expected.Select(output => string.Join(' ', output.Tokens)),
                actual.Select(generation => string.Join(' ', generation.TokenIds)));
        }
    }

    /// <summary>Log-probabilities are a function of every logit, so equal bits here are equal logits.</summary>
    [Theory]
    [InlineData(2048, true, true)]
    [InlineData(24, true, true)]
    [InlineData(17, false, true)]
    [InlineData(2048, false, false)]
    public async Task Bits_do_not_depend_on_batch_chunks_or_cache(
        int maxNumBatchedTokens, bool enablePrefixCaching, bool enableChunkedPrefill)
    {
        await using var crowded = Start(new EngineOptions
        {
            MaxNumSeqs = 16,
            MaxNumBatchedTokens = maxNumBatchedTokens,
            EnablePrefixCaching = enablePrefixCaching,
            EnableChunkedPrefill = enableChunkedPrefill,
        });

        await AssertBitsAreThoseOfRequestsAloneAsync(crowded, Varied);
    }

    [Fact]
    public async Task Bits_do_not_depend_on_preemption()
    {
        // As many blocks as the longest sequence may fill: far fewer than all requests do.
        await using var crowded = Start(numBlocks: 32);

        await AssertBitsAreThoseOfRequestsAloneAsync(
            crowded, index => Sampled(index) with { IgnoreEos = true, MaxTokens = 120, Logprobs = 5 });

        Assert.True(crowded.Statistics.Preemptions > 0, $"{crowded.Statistics}");
    }

    [Fact]
    public async Task Bits_of_structured_outputs_do_not_depend_on_the_batch()
    {
        const string Schema =
            """{"type":"object","properties":{"line":{"type":"string","maxLength":12},"syllables":{"enum":[5,7]}},"required":["line","syllables"]}""";
        await using var crowded = Start();

        var results = await AssertBitsAreThoseOfRequestsAloneAsync(
            crowded, index => Sampled(index) with { Constraint = new Constraint.JsonSchema(Schema), MaxTokens = 200, Temperature = 0.7f });

        Assert.All(results, result => Assert.True(SchemaValidator.IsValid(Schema, result.Text), result.Text));
    }

    private async Task<Result[]> AssertBitsAreThoseOfRequestsAloneAsync(LlmEngine crowded, Func<int, SamplingParameters> sampling)
    {
        var alone = new List<Result>();
        await using (var engine = Start(new EngineOptions { EnablePrefixCaching = false }))
        {
            foreach (var (reference, index) in References.Select((reference, index) => (reference, index)))
            {
                alone.Add(await RunAsync(engine, $"{index}", reference.Prompt, sampling(index)));
            }
        }

        var together = await Task.WhenAll(
            References.Select((reference, index) => RunAsync(crowded, $"{index}", reference.Prompt, sampling(index))));
        for (var i = 0; i < References.Length; i++)
        {
            Assert.Equal(alone[i].Ids, together[i].Ids);
            Assert.Equal(alone[i].Text, together[i].Text);
            Assert.Equal(
                alone[i].Logprobs.SelectMany(position => position.Top.Append(position.Sampled))
                    .Select(one => (one.TokenId, BitConverter.SingleToInt32Bits(one.Logprob))),
                together[i].Logprobs.SelectMany(position => position.Top.Append(position.Sampled))
                    .Select(one => (one.TokenId, BitConverter.SingleToInt32Bits(one.Logprob))));
        }

        return together;
    }

    [Theory]
    [InlineData(nameof(DType.F32))]
    [InlineData(nameof(DType.F8E4M3))]
    public async Task Sequences_that_share_blocks_have_the_bits_of_requests_of_their_own(string cacheDType)
    {
        await using var engine = Start(kvCacheDType: Enum.Parse<DType>(cacheDType));
        foreach (var (reference, index) in References.Select((reference, index) => (reference, index)))
        {
            var sampling = Sampled(2 * index + 1);
            var alone = new List<Result>();
            for (var sample = 0; sample < 3; sample++)
            {
                alone.Add(await RunAsync(engine, "alone", reference.Prompt, sampling with { Seed = sampling.Seed + sample }));
            }

            var together = await Generation.CollectAllAsync(
                engine.GenerateAsync(new GenerationRequest("together", reference.Prompt, sampling with { N = 3 }), CancellationToken.None));

            Assert.Equal(alone.Select(result => result.Text), together.Select(generation => generation.Text));
            Assert.Equal(
                alone.SelectMany(result => result.Logprobs).Select(position => position.Sampled),
                together.SelectMany(generation => generation.Logprobs).Select(position => position.Sampled));
        }
    }

    private static SamplingParameters Greedy(int maxTokens) => new() { Temperature = 0, MaxTokens = maxTokens };

    /// <summary>Greedy, sampled, with log-probabilities of the prompt, and searched.</summary>
    private static SamplingParameters Varied(int index) => index % 4 == 2
        ? Greedy(12) with { BestOf = 3, Logprobs = 20, Beams = new BeamParameters() }
        : Sampled(index) with { PromptLogprobs = index % 3 == 0 ? 5 : null };

    private static SamplingParameters Sampled(int index) =>
        new() { Temperature = index % 2 == 0 ? 0 : 1.2f, TopP = 0.95f, Seed = index, MaxTokens = 40, Logprobs = 20 };

    private static async Task<IReadOnlyList<PromptPosition?>> ScoreAsync(LlmEngine engine, int[] prompt, string id = "scored")
    {
        var result = await Generation.CollectAsync(
            engine.GenerateAsync(
                new GenerationRequest(id, prompt, new SamplingParameters { PromptLogprobs = 5, MaxTokens = 0 }), CancellationToken.None));
        return result.PromptLogprobs!;
    }

    /// <summary>Loads the sample model.</summary>
    private protected abstract IModelRunner Load(ModelRunnerOptions options);

    private LlmEngine Start(EngineOptions? options = null, DType kvCacheDType = DType.F32, int? numBlocks = null)
    {
        var runner = Load(
            new ModelRunnerOptions
            {
                MaxSequences = 16,
                MaxModelLength = 512,
                MaxBatchedTokens = 2048,
                KvCacheDType = kvCacheDType,
                NumBlocks = numBlocks
            });
        var eos = ModelConfig.Load(Fixtures.Haiku).EosTokenIds;
        return new LlmEngine(runner, Tokenizer, (options ?? new EngineOptions()) with { EosTokenIds = [.. eos] }, TimeProvider.System);
    }

    private static async Task<Result> RunAsync(LlmEngine engine, string id, int[] prompt, SamplingParameters sampling)
    {
        var result = new Result([], [], "");
        await foreach (var output in engine.GenerateAsync(new GenerationRequest(id, prompt, sampling), CancellationToken.None))
        {
            result.Ids.AddRange(output.TokenIds);
            result.Logprobs.AddRange(output.Logprobs ?? []);
            result.Logprobs.InsertRange(0, output.PromptLogprobs?.OfType<PromptPosition>().Select(position => position.Logprobs) ?? []);
            result = result with { Text = result.Text + output.Text };
        }

        return result;
    }

    private static int[] Ids(JsonNode array) => [.. array.AsArray().Select(id => (int)id!)];

    private sealed record Result(List<int> Ids, List<PositionLogprobs> Logprobs, string Text);
}
