using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class RequestValidatorTests
{
    private static readonly RequestValidator Validator = new(vocabSize: 100, maxModelLength: 32, kvCacheTokens: 64, maxLogprobs: 5);

    public static TheoryData<string, string, object> Bad()
    {
        var data = new TheoryData<string, string, object>();
        void Add(string parameter, string named, SamplingParameters sampling) => data.Add(parameter, named, sampling);
        Add("temperature", "-0.1", new() { Temperature = -0.1f });
        Add("temperature", "NaN", new() { Temperature = float.NaN });
        Add("temperature", "Infinity", new() { Temperature = float.PositiveInfinity });
        Add("top_p", "0", new() { TopP = 0 });
        Add("top_p", "1.01", new() { TopP = 1.01f });
        Add("top_p", "NaN", new() { TopP = float.NaN });
        Add("top_k", "-2", new() { TopK = -2 });
        Add("min_p", "-0.5", new() { MinP = -0.5f });
        Add("min_p", "NaN", new() { MinP = float.NaN });
        Add("repetition_penalty", "0", new() { RepetitionPenalty = 0 });
        Add("repetition_penalty", "NaN", new() { RepetitionPenalty = float.NaN });
        Add("presence_penalty", "2.5", new() { PresencePenalty = 2.5f });
        Add("frequency_penalty", "-2.5", new() { FrequencyPenalty = -2.5f });
        Add("frequency_penalty", "NaN", new() { FrequencyPenalty = float.NaN });
        Add("logit_bias", "100", new() { LogitBias = new Dictionary<int, float> { [100] = 1 } });
        Add("logit_bias", "-1", new() { LogitBias = new Dictionary<int, float> { [-1] = 1 } });
        Add("logit_bias", "NaN", new() { LogitBias = new Dictionary<int, float> { [1] = float.NaN } });
        Add("logprobs", "6", new() { Logprobs = 6 });
        Add("logprobs", "-1", new() { Logprobs = -1 });
        Add("max_tokens", "0", new() { MaxTokens = 0 });
        Add("max_tokens", "-1", new() { MaxTokens = -1, PromptLogprobs = 1 });
        Add("max_tokens", "0", new() { MaxTokens = 0, PromptLogprobs = 1, Temperature = 0, Beams = new() });
        Add("prompt_logprobs", "6", new() { PromptLogprobs = 6 });
        Add("prompt_logprobs", "-1", new() { PromptLogprobs = -1 });
        Add("temperature", "0.5", new() { Temperature = 0.5f, Beams = new() });
        Add("use_beam_search", "top_p", new() { Temperature = 0, TopP = 0.5f, Beams = new() });
        Add("use_beam_search", "top_k", new() { Temperature = 0, TopK = 3, Beams = new() });
        Add("use_beam_search", "min_p", new() { Temperature = 0, MinP = 0.1f, Beams = new() });
        Add("length_penalty", "NaN", new() { Temperature = 0, Beams = new(float.NaN) });
        Add("length_penalty", "11", new() { Temperature = 0, Beams = new(11) });
        Add("min_tokens", "-1", new() { MinTokens = -1 });
        Add("min_tokens", "9", new() { MinTokens = 9, MaxTokens = 8 });
        Add("stop_token_ids", "100", new() { StopTokenIds = [1, 100] });
        Add("stop_token_ids", "1025", new() { StopTokenIds = [.. Enumerable.Repeat(1, 1025)] });
        Add("stop_token_ids", "-3", new() { StopTokenIds = [-3] });
        Add("stop", "0 characters", new() { Stop = ["ok", ""] });
        Add("stop", "2000 characters", new() { Stop = [new string('x', 2000)] });
        Add("stop", "65", new() { Stop = [.. Enumerable.Repeat("x", 65)] });
        Add("stop", "surrogate", new() { Stop = ["\ud83d"] });
        return data;
    }

    [Theory, MemberData(nameof(Bad))]
    public void A_bad_value_is_refused_by_name(string parameter, string named, object sampling)
    {
        var refused = Assert.Throws<InvalidRequestException>(
            () => Validator.Validate(new GenerationRequest("id", [1], (SamplingParameters)sampling)));

        Assert.Equal(parameter, refused.Parameter);
        Assert.StartsWith(parameter, refused.Message);
        Assert.Contains(named, refused.Message);
        Assert.Contains("must be", refused.Message);
    }

    public static TheoryData<string, int[], object> AtTheEdge => new()
    {
        {
            "everything", [0, 99], new SamplingParameters
            {
                Temperature = 0,
                TopP = 1,
                TopK = -1,
                MinP = 1,
                RepetitionPenalty = 1e-3f,
                PresencePenalty = -2,
                FrequencyPenalty = 2,
                LogitBias = new Dictionary<int, float> { [99] = -1000 },
                Logprobs = 5,
                MaxTokens = null,
                MinTokens = 1000,
                StopTokenIds = [0, 99],
                Stop = ["👍", "\n"],
            }
        },
        { "the longest prompt and output", new int[31], new SamplingParameters { MaxTokens = int.MaxValue } },
        { "only the prompt's logprobs", [1], new SamplingParameters { MaxTokens = 0, PromptLogprobs = 5 } },
        { "the most beams", [1], new SamplingParameters { Temperature = 0, TopK = -1, BestOf = 128, Beams = new(-10) } },
    };

    [Theory, MemberData(nameof(AtTheEdge))]
    public void Values_at_the_edge_of_their_ranges_are_taken(string values, int[] prompt, object sampling)
    {
        var refusal = Record.Exception(() => Validator.Validate(new GenerationRequest("id", prompt, (SamplingParameters)sampling)));

        Assert.True(refusal is null, $"{values}: {refusal?.Message}");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(100)]
    public void A_prompt_token_outside_the_vocabulary_is_refused_with_its_place(int token)
    {
        var refused = Refused([1, 2, token]);

        Assert.Equal($"prompt token {token} at index 2 is outside the vocabulary [0, 100)", refused.Message);
    }

    [Fact]
    public void An_empty_prompt_and_an_empty_id_are_refused()
    {
        Assert.Equal("prompt", Refused([]).Parameter);
        Assert.Equal(
            "request_id",
            Assert.Throws<InvalidRequestException>(() => Validator.Validate(new GenerationRequest("", [1], new()))).Parameter);
    }

    [Fact]
    public void A_prompt_beyond_the_models_length_is_refused_with_both_numbers()
    {
        var refused = Refused(new int[40]);

        Assert.Equal(
            "prompt has 40 tokens, but the model's length is 32 tokens, prompt and output together; shorten it to at most 31",
            refused.Message);
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(4, false)]
    public void A_prompt_is_no_longer_than_the_server_takes(int length, bool accepted)
    {
        var validator = new RequestValidator(100, maxModelLength: 64, kvCacheTokens: 64, maxLogprobs: 5) { MaxPromptTokens = 3 };
        var request = new GenerationRequest("r", [.. Enumerable.Repeat(1, length)], new SamplingParameters());

        var error = Record.Exception(() => validator.Validate(request));

        Assert.Equal(accepted, error is null);
        Assert.True(accepted || error!.Message == "prompt has 4 tokens; this server takes at most 3 (--max-input-tokens)");
    }

    [Fact]
    public void A_prompt_that_can_never_fit_the_cache_is_refused_with_both_numbers()
    {
        var validator = new RequestValidator(100, maxModelLength: 64, kvCacheTokens: 64, maxLogprobs: 5);

        var refused = Assert.Throws<InvalidRequestException>(() => validator.Validate(new GenerationRequest("id", new int[64], new())));

        Assert.Equal(
            "prompt has 64 tokens, but the KV cache holds 64 tokens, prompt and output together; shorten it to at most 63",
            refused.Message);
    }

    private static InvalidRequestException Refused(int[] prompt) =>
        Assert.Throws<InvalidRequestException>(() => Validator.Validate(new GenerationRequest("id", prompt, new SamplingParameters())));
}
