using Cluster.Worker.Engine;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Structured output through the whole engine, with logits that mean nothing, over the sample model's tokenizer and over
/// bytes.</summary>
public sealed class ConstrainedEngineTests
{
    private const int Eos = 256;
    private static readonly Tokenizer Haiku = Tokenizer.Load(Fixtures.Haiku);

    [Fact]
    public async Task Whatever_the_model_wants_200_random_schemas_get_valid_outputs()
    {
        await using var engine = Engine(Haiku, 0, eosBias: 3);
        string[] schemas = [.. RandomSchemas.Make(200, seed: 8)];
        var results = await Task.WhenAll(schemas.Select((schema, index) =>
            RunAsync(
                engine, $"{index}", [1 + index % 50],
                new SamplingParameters { Constraint = new Constraint.JsonSchema(schema), MaxTokens = 300, Seed = index })));
        var stopped = 0;
        for (var i = 0; i < schemas.Length; i++)
        {
            if (results[i].Last.FinishReason == FinishReason.Stop)
            {
                stopped++;
                Assert.True(SchemaValidator.IsValid(schemas[i], results[i].Text), $"{schemas[i]}\n{results[i].Text}");
            }
        }

        Assert.InRange(stopped, 100, 200);
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 10)];

    [Theory, MemberData(nameof(Seeds))]
    public async Task A_choice_is_made_whatever_the_temperature_and_the_bias(int seed)
    {
        await using var engine = Engine(new ByteTokenizer(["</s>"]), Eos, eosBias: 0);
        string[] choices = ["yes", "no", "maybe"];
        var result = await RunAsync(engine, $"{seed}", [1, 2, seed], new SamplingParameters
        {
            Constraint = new Constraint.Choice(choices),
            Temperature = seed % 3,
            Seed = seed,
            MaxTokens = 20,
            LogitBias = new Dictionary<int, float> { ['z'] = 100 },
            MinTokens = 15,
            RepetitionPenalty = 1.5f,
        });

        Assert.Contains(result.Text, choices);
        Assert.Equal(FinishReason.Stop, result.Last.FinishReason);
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_structured_text()
    {
        var sampling = new SamplingParameters { Constraint = new Constraint.Regex("[a-z]{5,10}"), Seed = 3, MaxTokens = 50 };
        await using var one = Engine(new ByteTokenizer(["</s>"]), Eos, eosBias: 0);
        await using var other = Engine(new ByteTokenizer(["</s>"]), Eos, eosBias: 0);
        Assert.Equal((await RunAsync(one, "a", [1], sampling)).Text, (await RunAsync(other, "b", [1], sampling)).Text);
    }

    [Fact]
    public async Task What_cannot_work_is_refused_before_anything_is_queued()
    {
        await using var engine = Engine(new ByteTokenizer(["</s>"]), Eos, eosBias: 0);
        var bad = Assert.Throws<InvalidRequestException>(() =>
            engine.GenerateAsync(
                new GenerationRequest("r", [1], new SamplingParameters { Constraint = new Constraint.Regex("(") }),
                CancellationToken.None));
        Assert.Equal("regex", bad.Parameter);
        bad = Assert.Throws<InvalidRequestException>(() =>
            engine.GenerateAsync(
                new GenerationRequest("r", [1], new SamplingParameters { Constraint = new Constraint.Regex("a"), IgnoreEos = true }),
                CancellationToken.None));
        Assert.Equal("ignore_eos", bad.Parameter);
        Assert.Equal(0, engine.Statistics.Waiting);
    }

    [Fact]
    public void A_tokens_bytes_make_up_the_text()
    {
        const string Text = "Hello, wörld! 日本語\n  \"x\": [1, 2]";
        Assert.Equal(Text, System.Text.Encoding.UTF8.GetString([.. Haiku.Encode(Text, false).SelectMany(id => Haiku.TokenBytes(id)!)]));
        Assert.Null(Haiku.TokenBytes(0));
    }

    private static Task<Generation> RunAsync(LlmEngine engine, string id, int[] prompt, SamplingParameters sampling) =>
        Generation.CollectAsync(engine.GenerateAsync(new GenerationRequest(id, prompt, sampling), CancellationToken.None));

    private static LlmEngine Engine(ITokenizer tokenizer, int eos, float eosBias)
    {
        // A vocabulary of logits that is larger than the tokenizer's, as padded checkpoints have.
        var runner = new FakeModelRunner(tokenizer.VocabSize + 7, 16, 4096, 512) { OnLogits = (_, row) => row[eos] += eosBias };
        return new LlmEngine(runner, tokenizer, new EngineOptions { EosTokenIds = [eos], MaxNumSeqs = 64, Seed = 1 }, TimeProvider.System);
    }
}
