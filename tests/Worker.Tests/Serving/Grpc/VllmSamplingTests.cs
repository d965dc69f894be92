using Cluster.Worker.Engine;
using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Grpc.Services;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class VllmSamplingTests
{
    private const int VocabSize = 100;

    [Fact]
    public void Unset_fields_have_their_neutral_values()
    {
        var mapped = VllmSampling.Map(new SamplingParams(), VocabSize);

        var neutral = new SamplingParameters
        {
            Temperature = 1,
            TopP = 1,
            TopK = 0,
            RepetitionPenalty = 1,
            MaxTokens = null,
            SkipSpecialTokens = false
        };
        Assert.Equal(neutral with { Stop = mapped.Stop, StopTokenIds = mapped.StopTokenIds }, mapped);
        Assert.Empty(mapped.Stop);
        Assert.Empty(mapped.StopTokenIds);
    }

    public static TheoryData<string, object?> Fields => new()
    {
        { nameof(SamplingParameters.Temperature), 0f },
        { nameof(SamplingParameters.TopP), 0.9f },
        { nameof(SamplingParameters.TopK), 40 },
        { nameof(SamplingParameters.MinP), 0.1f },
        { nameof(SamplingParameters.FrequencyPenalty), -0.4f },
        { nameof(SamplingParameters.PresencePenalty), 0.3f },
        { nameof(SamplingParameters.RepetitionPenalty), 1.2f },
        { nameof(SamplingParameters.MaxTokens), 99 },
        { nameof(SamplingParameters.MinTokens), 3 },
        { nameof(SamplingParameters.SkipSpecialTokens), true },
        { nameof(SamplingParameters.IgnoreEos), true },
        { nameof(SamplingParameters.Seed), -5L },
        { nameof(SamplingParameters.IncludeStopStringInOutput), true },
    };

    [Theory]
    [MemberData(nameof(Fields))]
    public void A_set_field_reaches_the_engine(string name, object? value) =>
        Assert.Equal(value, typeof(SamplingParameters).GetProperty(name)!.GetValue(VllmSampling.Map(Everything, VocabSize)));

    [Fact]
    public void Set_lists_and_maps_reach_the_engine()
    {
        var mapped = VllmSampling.Map(Everything, VocabSize);

        Assert.Equal(["END", "。"], mapped.Stop);
        Assert.Equal([11, 99], mapped.StopTokenIds);
        Assert.Equal(new Dictionary<int, float> { [7] = -3f, [8] = 4f }, mapped.LogitBias);
    }

    [Fact]
    public void Constraints_reach_the_engine()
    {
        Assert.Equal(new Constraint.JsonSchema("{}"), VllmSampling.Map(new SamplingParams { JsonSchema = "{}" }, VocabSize).Constraint);
        Assert.Equal(new Constraint.Regex(".*"), VllmSampling.Map(new SamplingParams { Regex = ".*" }, VocabSize).Constraint);
        Assert.Equal(new Constraint.JsonObject(), VllmSampling.Map(new SamplingParams { JsonObject = true }, VocabSize).Constraint);
        Assert.Null(VllmSampling.Map(new SamplingParams { JsonObject = false }, VocabSize).Constraint);
        Assert.Equal(new Constraint.Grammar("a: b"), VllmSampling.Map(new SamplingParams { Grammar = "a: b" }, VocabSize).Constraint);
        Assert.Equal(
            """["a","b"]""",
            VllmSampling.Map(new SamplingParams { Choice = new ChoiceConstraint { Choices = { "a", "b" } } }, VocabSize).Constraint!.Text);
    }

    [Fact]
    public void Every_property_of_the_engine_is_mapped_or_has_no_field_to_answer_in()
    {
        var mapped = VllmSampling.Map(Everything, VocabSize);
        var defaults = VllmSampling.Map(new SamplingParams(), VocabSize);

        var untouched = typeof(SamplingParameters).GetProperties()
            .Where(property => Equals(property.GetValue(mapped), property.GetValue(defaults)));
        string[] unanswerable = [nameof(SamplingParameters.N), nameof(SamplingParameters.BestOf), nameof(SamplingParameters.NumSequences)];
        string[] unnamed = [
            nameof(SamplingParameters.BadWords), nameof(SamplingParameters.AllowedTokenIds), nameof(SamplingParameters.Constraint)];
        string[] unreported = [nameof(SamplingParameters.Logprobs), nameof(SamplingParameters.PromptLogprobs)];
        Assert.Equal(
            [
                .. unanswerable, nameof(SamplingParameters.KeptSpecialTokens), .. unreported, nameof(SamplingParameters.Beams), .. unnamed,
                nameof(SamplingParameters.ConstraintDelay),
            ],
            untouched.Select(property => property.Name));
    }

    [Fact]
    public void Zero_is_unset_and_then_the_served_defaults_hold()
    {
        var served = new SamplingDefaults
        {
            Temperature = 0.6f,
            TopK = 20,
            TopP = 0.95f,
            MinP = 0.05f,
            RepetitionPenalty = 1.05f,
            MaxTokens = 9
        };
        var unset = VllmSampling.Map(new SamplingParams(), VocabSize, served);
        var set = VllmSampling.Map(
            new SamplingParams { Temperature = 0, TopK = 7, TopP = 1, MinP = 0.5f, RepetitionPenalty = 1, MaxTokens = 3 }, VocabSize,
            served);

        Assert.Equal(
            (0.6f, 20, 0.95f, 0.05f, 1.05f, 9),
            (unset.Temperature, unset.TopK, unset.TopP, unset.MinP, unset.RepetitionPenalty, unset.MaxTokens));
        Assert.Equal((0, 7, 1, 0.5f, 1, 3), (set.Temperature, set.TopK, set.TopP, set.MinP, set.RepetitionPenalty, set.MaxTokens));
    }

    public static TheoryData<string, byte[]> Refused => new()
    {
        { "n", Bytes(new SamplingParams { N = 2 }) },
        { "structural_tag", Bytes(new SamplingParams { StructuralTag = "{}" }) },
        { "logprobs", Bytes(new SamplingParams { Logprobs = 0 }) },
        { "prompt_logprobs", Bytes(new SamplingParams { PromptLogprobs = 1 }) },
        { "spaces_between_special_tokens", Bytes(new SamplingParams { SpacesBetweenSpecialTokens = true, Stop = { "END" } }) },
        { "top_k", Bytes(new SamplingParams { TopK = uint.MaxValue }) },
        { "max_tokens", Bytes(new SamplingParams { MaxTokens = uint.MaxValue }) },
        { "min_tokens", Bytes(new SamplingParams { MinTokens = uint.MaxValue }) },
        { "logit_bias", Bytes(new SamplingParams { LogitBias = { { 100, 1f } } }) },
        { "logit_bias", Bytes(new SamplingParams { LogitBias = { { -1, 1f } } }) },
        { "stop_token_ids", Bytes(new SamplingParams { StopTokenIds = { 100 } }) },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_cannot_be_done_is_refused_by_name(string field, byte[] wire)
    {
        var failure = Assert.Throws<InvalidRequestException>(() => VllmSampling.Map(SamplingParams.Parser.ParseFrom(wire), VocabSize));

        Assert.Equal(field, failure.Parameter);
        Assert.StartsWith(field, failure.Message);
    }

    [Fact]
    public void Settings_without_effect_on_the_answer_are_taken()
    {
        Assert.Equivalent(
            VllmSampling.Map(new SamplingParams(), VocabSize),
            VllmSampling.Map(new SamplingParams { N = 1, SpacesBetweenSpecialTokens = true }, VocabSize));
        Assert.Equivalent(
            VllmSampling.Map(new SamplingParams { SkipSpecialTokens = true, Stop = { "END" } }, VocabSize),
            VllmSampling.Map(
                new SamplingParams { SpacesBetweenSpecialTokens = true, SkipSpecialTokens = true, Stop = { "END" } }, VocabSize));
    }

    [Theory]
    [InlineData(null, 10)]
    [InlineData(3, 3)]
    [InlineData(10, 10)]
    [InlineData(12, 10)]
    [InlineData(-1, 10)]
    public void A_truncated_prompt_keeps_its_end(int? limit, int kept)
    {
        var prompt = Enumerable.Range(0, 10).ToArray();

        var truncated = PromptTruncation.Apply(prompt, VllmSampling.Kept(Truncation(limit), maxModelLength: 12));

        Assert.Equal(prompt[^kept..], truncated);
    }

    [Fact]
    public void Truncation_to_the_model_leaves_room_for_an_answer() =>
        Assert.Equal(
            [3, 4, 5, 6, 7, 8, 9],
            PromptTruncation.Apply([.. Enumerable.Range(0, 10)], VllmSampling.Kept(Truncation(-1), maxModelLength: 8)));

    [Theory]
    [InlineData(0)]
    [InlineData(-2)]
    [InlineData(13)]
    public void An_impossible_truncation_is_refused(int limit) =>
        Assert.Equal(
            "truncate_prompt_tokens",
            Assert.Throws<InvalidRequestException>(() => VllmSampling.Kept(Truncation(limit), maxModelLength: 12)).Parameter);

    private static SamplingParams Everything => new()
    {
        Temperature = 0,
        TopP = 0.9f,
        TopK = 40,
        MinP = 0.1f,
        FrequencyPenalty = -0.4f,
        PresencePenalty = 0.3f,
        RepetitionPenalty = 1.2f,
        MaxTokens = 99,
        MinTokens = 3,
        Stop = { "END", "。" },
        StopTokenIds = { 11, 99 },
        SkipSpecialTokens = true,
        IgnoreEos = true,
        Seed = -5,
        IncludeStopStrInOutput = true,
        LogitBias = { { 7, -3f }, { 8, 4f } },
    };

    private static SamplingParams Truncation(int? limit)
    {
        var wire = new SamplingParams();
        if (limit is { } tokens)
        {
            wire.TruncatePromptTokens = tokens;
        }

        return wire;
    }

    private static byte[] Bytes(SamplingParams wire) => Google.Protobuf.MessageExtensions.ToByteArray(wire);
}
