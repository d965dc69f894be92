using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class CompletionsTests
{
    private const string Path = "/v1/completions";

    [Fact]
    public async Task A_text_is_continued_with_usage_and_finish_reason()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "blue", CachedTokens = 2 });

        var (status, body) = await server.PostAsync(Path, """{"model": "model", "prompt": "sky"}""");

        Assert.Equal(200, status);
        Assert.Equal("text_completion", (string?)body["object"]);
        Assert.Equal("blue", (string?)body["choices"]![0]!["text"]);
        Assert.Equal("stop", (string?)body["choices"]![0]!["finish_reason"]);
        Assert.True(body["choices"]![0]!.AsObject().ContainsKey("logprobs"));
        Assert.Equal(
            (4, 4, 8, 2),
            ((int)body["usage"]!["prompt_tokens"]!, (int)body["usage"]!["completion_tokens"]!, (int)body["usage"]!["total_tokens"]!,
                (int)body["usage"]!["prompt_tokens_details"]!["cached_tokens"]!));
    }

    [Theory]
    [InlineData("\"ab\"", 1)]
    [InlineData("[\"ab\", \"c\"]", 2)]
    [InlineData("[101, 102]", 1)]
    [InlineData("[[101, 102], [103], [104]]", 3)]
    public async Task A_prompt_is_a_text_token_ids_or_several_of_either(string prompt, int choices)
    {
        var engine = new FakeEngine { Reply = request => $"{request.PromptTokenIds.Count}" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, body) = await server.PostAsync(Path, $$"""{"prompt": {{prompt}}, "add_special_tokens": false}""");

        Assert.Equal(200, status);
        Assert.Equal(choices, body["choices"]!.AsArray().Count);
        var byIndex = body["choices"]!.AsArray().ToDictionary(choice => (int)choice!["index"]!, choice => (string)choice!["text"]!);
        var sizes = engine.Requests.ToDictionary(
            request => int.Parse(request.RequestId[(request.RequestId.LastIndexOf('-') + 1)..]),
            request => $"{request.PromptTokenIds.Count}");
        Assert.Equal(sizes.OrderBy(pair => pair.Key), byIndex.OrderBy(pair => pair.Key));
    }

    [Fact]
    public async Task Several_samples_are_one_request_of_the_engine_and_the_prompt_counts_once()
    {
        var engine = new FakeEngine { Reply = _ => "x" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (_, body) = await server.PostAsync(Path, """{"prompt": "abc", "n": 3, "seed": 5}""");

        Assert.Equal((3, 5L), (engine.Requests.Single().Sampling.N, engine.Requests.Single().Sampling.Seed!.Value));
        Assert.Equal([0, 1, 2], body["choices"]!.AsArray().Select(choice => (int)choice!["index"]!));
        Assert.Equal(4, (int)body["usage"]!["prompt_tokens"]!);
        Assert.Equal(3, (int)body["usage"]!["completion_tokens"]!);
    }

    [Fact]
    public async Task Every_sampling_field_reaches_the_engine()
    {
        var engine = new FakeEngine { Reply = _ => "x" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, _) = await server.PostAsync(
            Path,
            """
            {"prompt": "p", "temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125, "repetition_penalty": 1.5, "presence_penalty": 0.75, "frequency_penalty": -0.5,
             "logit_bias": {"3": -100, "4": 2.5}, "seed": -9, "max_tokens": 11, "min_tokens": 2, "stop": ["a", "b"], "stop_token_ids": [5], "ignore_eos": true,
             "include_stop_str_in_output": true, "skip_special_tokens": false, "logprobs": 3, "user": "anyone"}
            """);

        Assert.Equal(200, status);
        var sampling = Assert.Single(engine.Requests).Sampling;
        var expected = new SamplingParameters
        {
            Temperature = 0.5f,
            TopP = 0.25f,
            TopK = 7,
            MinP = 0.125f,
            RepetitionPenalty = 1.5f,
            PresencePenalty = 0.75f,
            FrequencyPenalty = -0.5f,
            LogitBias = sampling.LogitBias,
            Seed = -9,
            MaxTokens = 11,
            MinTokens = 2,
            Stop = sampling.Stop,
            StopTokenIds = sampling.StopTokenIds,
            IgnoreEos = true,
            IncludeStopStringInOutput = true,
            SkipSpecialTokens = false,
            Logprobs = 3,
        };
        Assert.Equal(expected, sampling);
        Assert.Equal([(3, -100f), (4, 2.5f)], sampling.LogitBias!.Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(["a", "b"], sampling.Stop);
        Assert.Equal([5], sampling.StopTokenIds);
    }

    [Fact]
    public async Task A_stream_carries_the_same_text_and_ends_with_usage_when_asked()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "größer 🌊" });

        var events = await server.StreamAsync(
            Path, """{"prompt": "p", "stream": true, "max_tokens": 64, "stream_options": {"include_usage": true}}""");

        Assert.Equal(
            "größer 🌊", string.Concat(events.SelectMany(chunk => chunk["choices"]!.AsArray()).Select(choice => (string?)choice!["text"])));
        Assert.Equal("stop", (string?)events[^2]["choices"]![0]!["finish_reason"]);
        Assert.Empty(events[^1]["choices"]!.AsArray());
        Assert.Equal(13, (int)events[^1]["usage"]!["completion_tokens"]!);
        Assert.Single(events.Select(chunk => (string?)chunk["id"]).Distinct());
    }

    [Fact]
    public async Task Samples_of_one_stream_are_told_apart_by_index()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { ReplyOf = sample => $"answer {sample}" });

        var events = await server.StreamAsync(Path, """{"prompt": "p", "stream": true, "n": 3, "max_tokens": 64}""");

        var texts = events.SelectMany(chunk => chunk["choices"]!.AsArray()).GroupBy(choice => (int)choice!["index"]!)
            .ToDictionary(group => group.Key, group => string.Concat(group.Select(choice => (string?)choice!["text"])));
        Assert.Equal(["answer 0", "answer 1", "answer 2"], texts.OrderBy(pair => pair.Key).Select(pair => pair.Value));
    }

    [Fact]
    public async Task Samples_of_several_prompts_are_numbered_prompt_after_prompt()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { ReplyOf = sample => $" {sample}" });

        var (_, body) = await server.PostAsync(
            Path, """{"prompt": ["a", "b"], "n": 2, "best_of": 3, "echo": true, "add_special_tokens": false}""");

        Assert.Equal(["a 0", "a 1", "b 0", "b 1"], body["choices"]!.AsArray().Select(choice => (string?)choice!["text"]));
        Assert.Equal([0, 1, 2, 3], body["choices"]!.AsArray().Select(choice => (int)choice!["index"]!));
        Assert.Equal((2, 8), ((int)body["usage"]!["prompt_tokens"]!, (int)body["usage"]!["completion_tokens"]!));
    }

    [Fact]
    public async Task Echo_puts_the_prompt_first()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => " world" });

        var (_, body) = await server.PostAsync(Path, """{"prompt": "hello", "echo": true, "add_special_tokens": false}""");
        var events = await server.StreamAsync(Path, """{"prompt": "hello", "echo": true, "stream": true, "add_special_tokens": false}""");

        Assert.Equal("hello world", (string?)body["choices"]![0]!["text"]);
        Assert.Equal("hello world", string.Concat(events.Select(chunk => (string?)chunk["choices"]![0]!["text"])));
    }

    [Fact]
    public async Task Log_probabilities_name_tokens_values_alternatives_and_offsets()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ab" });

        var (_, body) = await server.PostAsync(Path, """{"prompt": "p", "logprobs": 2}""");

        var logprobs = body["choices"]![0]!["logprobs"]!;
        Assert.Equal(["a", "b"], logprobs["tokens"]!.AsArray().Select(token => (string)token!));
        Assert.Equal([-0.5f, -0.5f], logprobs["token_logprobs"]!.AsArray().Select(value => (float)value!));
        Assert.Equal([0, 1], logprobs["text_offset"]!.AsArray().Select(value => (int)value!));
        Assert.Equal(["a", "b"], logprobs["top_logprobs"]![0]!.AsObject().Select(pair => pair.Key));
    }

    [Fact]
    public async Task A_client_that_leaves_ends_its_generation()
    {
        var held = new TaskCompletionSource();
        var engine = new FakeEngine
        {
            Reply = _ => "abcdef",
            BeforeOutput = async (made, stop) => await (made < 2 ? Task.CompletedTask : held.Task.WaitAsync(stop))
        };
        await using var server = await HttpTestServer.StartAsync(engine);
        using var leave = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Content = HttpTestServer.Json("""{"prompt": "p", "stream": true}""")
        };
        using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
        var id = Assert.Single(engine.Requests).RequestId;

        response.Dispose();

        Assert.Null(await engine.EndingOf(id).WaitAsync(TimeSpan.FromSeconds(30)));
    }
}
