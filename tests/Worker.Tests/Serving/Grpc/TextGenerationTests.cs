using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Grpc.Services;
using Cluster.Worker.Serving.Parsing;
using Grpc.Core;
using FinishReason = Cluster.Worker.Protos.V1.FinishReason;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class TextGenerationTests
{
    [Fact]
    public async Task A_prompt_is_answered_with_text_tokens_and_usage()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "Grüße!", CachedTokens = 2 });

        var response = await server.Text.GenerateAsync(new GenerateRequest { RequestId = "r1", Model = "alias", Prompt = "hi" });

        Assert.Equal("r1", response.RequestId);
        Assert.Equal("fake", response.Model);
        Assert.Equal("Grüße!", response.Text);
        Assert.Equal(new FakeTokenizer().Encode("Grüße!", addSpecialTokens: false).Select(id => (uint)id), response.TokenIds);
        Assert.Equal(FinishReason.Stop, response.FinishReason);
        Assert.False(response.HasStopReason);
        Assert.Equal(new Usage { PromptTokens = 3, CompletionTokens = 8, CachedTokens = 2 }, response.Usage);
        Assert.Equal(new FakeTokenizer().Encode("hi", addSpecialTokens: true), server.Engine.Requests.Single().PromptTokenIds);
    }

    [Fact]
    public async Task A_stream_adds_up_to_the_unary_answer()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = "die Größe 🌊", Sampling = new SamplingParams { Logprobs = 1, MaxTokens = 18 } };

        var whole = await server.Text.GenerateAsync(request);
        var parts = await server.Text.GenerateStream(request).ToListAsync();

        Assert.Equal(whole.Text, string.Concat(parts.Select(part => part.Text)));
        Assert.Equal(whole.TokenIds, parts.SelectMany(part => part.TokenIds));
        Assert.Equal(whole.Logprobs, parts.SelectMany(part => part.Logprobs));
        Assert.Equal(whole.Usage, parts[^1].Usage);
        Assert.Equal(FinishReason.Length, whole.FinishReason);
        Assert.All(parts[..^1], part => Assert.Equal(FinishReason.Unspecified, part.FinishReason));
        Assert.Equal(FinishReason.Length, parts[^1].FinishReason);
        Assert.Equal(Enumerable.Range(1, 18), parts.Select(part => (int)part.Usage.CompletionTokens));
    }

    [Fact]
    public async Task Logprobs_name_the_token_and_its_rivals()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "A" });

        var response = await server.Text.GenerateAsync(
            new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { Logprobs = 2 } });

        var position = Assert.Single(response.Logprobs);
        Assert.Equal("A", position.Sampled.Text);
        Assert.Equal(response.TokenIds[0], position.Sampled.TokenId);
        Assert.Equal(-0.5f, position.Sampled.Logprob);
        Assert.Equal(["A", "B"], position.Top.Select(token => token.Text));
    }

    [Fact]
    public async Task Prompt_logprobs_come_with_the_first_message_and_need_no_output()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "AB" });
        var request = new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { PromptLogprobs = 1 } };

        var response = await server.Text.GenerateAsync(request);
        var parts = await server.Text.GenerateStream(request).ToListAsync();
        request.Sampling.MaxTokens = 0;
        var scored = await server.Text.GenerateAsync(request);

        Assert.Equal(["h", "i"], response.PromptLogprobs.Select(position => position.Token.Text));
        Assert.All(
            response.PromptLogprobs,
            position => Assert.Equal((-0.25f, 1u, 1), (position.Token.Logprob, position.Rank, position.Top.Count)));
        Assert.Equal([2, 0], parts.Select(part => part.PromptLogprobs.Count));
        Assert.Equal(response.PromptLogprobs, scored.PromptLogprobs);
        Assert.Empty(scored.TokenIds);
    }

    [Fact]
    public async Task A_conversation_goes_through_the_chat_template_without_a_second_BOS()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var chat = new Conversation { Messages = { new Message { Role = "user", Content = "hi" } } };

        await server.Text.GenerateAsync(new GenerateRequest { Chat = chat });
        var tokenized = await server.Text.TokenizeAsync(new TokenizeRequest { Chat = chat });

        var prompt = server.Engine.Requests.Single().PromptTokenIds;
        Assert.Equal(
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", new FakeTokenizer().Decode([.. prompt], skipSpecialTokens: false));
        Assert.Equal(prompt, tokenized.TokenIds.Select(id => (int)id));
    }

    /// <summary>A prompt is the caller's own text, and so is what comes of it.</summary>
    [Fact]
    public async Task The_thinking_before_an_answer_to_a_chat_stands_by_itself()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "<think>Hm.</think>Yes." });
        server.BecomeReady(formats: OutputFormats.Choose("auto", "qwen3", null));
        var chat = new GenerateRequest
        {
            Chat = new Conversation { Messages = { new Message { Role = "user", Content = "hi" } } },
            Sampling = new SamplingParams { JsonObject = true },
        };

        var whole = await server.Text.GenerateAsync(chat);
        var parts = await server.Text.GenerateStream(chat).ToListAsync();
        var plain = await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" });

        Assert.Equal(("Hm.", "Yes."), (whole.Reasoning, whole.Text));
        Assert.Equal(
            ("Hm.", "Yes."), (string.Concat(parts.Select(part => part.Reasoning)), string.Concat(parts.Select(part => part.Text))));
        Assert.Equal(("", "<think>Hm.</think>Yes."), (plain.Reasoning, plain.Text));
        Assert.Equal([true, true, false], server.Engine.Requests.Select(request => request.Sampling.ConstraintDelay is not null));
    }

    [Fact]
    public async Task A_conversation_that_cannot_be_rendered_says_why()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var alien = new Conversation { Messages = { new Message { Role = "alien", Content = "hi" } } };

        Assert.Equal(
            (StatusCode.InvalidArgument, "line 1: unknown role 'alien'"),
            await server.Text.GenerateAsync(new GenerateRequest { Chat = alien }).FailAsync());
        Assert.Equal(
            (StatusCode.InvalidArgument, "chat has no messages; at least one is needed"),
            await server.Text.GenerateAsync(new GenerateRequest { Chat = new() }).FailAsync());

        server.BecomeReady(withChatTemplate: false);
        Assert.Equal(
            StatusCode.FailedPrecondition, (await server.Text.GenerateAsync(new GenerateRequest { Chat = alien }).FailAsync()).Status);
    }

    [Fact]
    public async Task A_text_that_cannot_be_encoded_says_why()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Equal(
            (StatusCode.InvalidArgument, "no token for the bell"),
            await server.Text.TokenizeAsync(new TokenizeRequest { Text = "\a" }).FailAsync());
    }

    [Fact]
    public async Task Text_goes_to_tokens_and_back()
    {
        await using var server = await GrpcTestServer.StartAsync();

        var with = await server.Text.TokenizeAsync(new TokenizeRequest { Text = "aß" });
        var without = await server.Text.TokenizeAsync(new TokenizeRequest { Text = "aß", AddSpecialTokens = false });
        var text = await server.Text.DetokenizeAsync(new DetokenizeRequest { TokenIds = { with.TokenIds } });
        var plain = await server.Text.DetokenizeAsync(new DetokenizeRequest { TokenIds = { with.TokenIds }, SkipSpecialTokens = true });

        Assert.Equal(["<s>", "<0x61>", "<0xC3>", "<0x9F>"], with.Tokens);
        Assert.Equal(1_000_000u, with.MaxModelLength);
        Assert.Equal(with.TokenIds.Skip(1), without.TokenIds);
        Assert.Equal("<s>aß", text.Text);
        Assert.Equal("aß", plain.Text);
    }

    [Fact]
    public async Task Unusable_input_is_named()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Contains("no input", (await server.Text.GenerateAsync(new GenerateRequest()).FailAsync()).Message);
        Assert.Contains("no tokens", (await server.Text.GenerateAsync(new GenerateRequest { TokenIds = new() }).FailAsync()).Message);
        Assert.Contains(
            "token_ids[1] is 9999",
            (await server.Text.GenerateAsync(new GenerateRequest { TokenIds = new() { Ids = { 5, 9999 } } }).FailAsync()).Message);
        Assert.Contains(
            "token_ids[0] is 4294967295",
            (await server.Text.DetokenizeAsync(new DetokenizeRequest { TokenIds = { uint.MaxValue } }).FailAsync()).Message);
        Assert.Contains("no input", (await server.Text.TokenizeAsync(new TokenizeRequest()).FailAsync()).Message);
        Assert.Empty(server.Engine.Requests);
    }

    [Fact]
    public async Task The_request_id_comes_from_the_message_or_the_metadata_or_is_drawn()
    {
        await using var server = await GrpcTestServer.StartAsync();

        foreach (var id in new[] { "mine", "" })
        {
            await server.Text.GenerateAsync(
                new GenerateRequest { RequestId = id, Prompt = "hi" }, new Metadata { { "x-request-id", "theirs" } });
        }

        await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" });
        await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" });

        var ids = server.Engine.Requests.Select(request => request.RequestId).ToList();
        Assert.Equal("mine", ids[0]);
        Assert.StartsWith("theirs-", ids[1]);
        Assert.Equal(4, ids.Distinct().Count());
    }

    [Fact]
    public async Task A_batch_answers_each_request_when_it_is_complete()
    {
        var late = new TaskCompletionSource();
        var engine = new FakeEngine { BeforeReply = request => request.RequestId == "0" ? late.Task : Task.CompletedTask };
        await using var server = await GrpcTestServer.StartAsync(engine);
        var batch = new GenerateBatchRequest
        {
            Requests =
            {
                Enumerable.Range(0, 3).Select(index => new GenerateRequest { RequestId = $"{index}", Prompt = $"prompt {index}" })
            }
        };
        batch.Requests.Add(new GenerateRequest { Prompt = "x", Sampling = new SamplingParams { TopP = 7 } });
        batch.Requests.Add(new GenerateRequest { Prompt = "x", Model = "other" });

        using var call = server.Text.GenerateBatch(batch);
        var answers = new List<GenerateBatchResponse>();
        await foreach (var answer in call.ResponseStream.ReadAllAsync())
        {
            answers.Add(answer);
            if (answers.Count == 4)
            {
                late.SetResult();
            }
        }

        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Equal([1, 2, 3, 4], answers.Take(4).Select(answer => (int)answer.Index).Order());
        Assert.Equal((0u, "You said: prompt 0"), (answers[4].Index, answers[4].Response.Text));
        Assert.Equal((int)StatusCode.InvalidArgument, answers.Single(answer => answer.Index == 3).Failure.Code);
        Assert.Equal((int)StatusCode.NotFound, answers.Single(answer => answer.Index == 4).Failure.Code);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1025)]
    public async Task A_batch_has_some_requests_and_not_too_many(int count)
    {
        await using var server = await GrpcTestServer.StartAsync();

        var (status, message) = await server.Text.GenerateBatch(
            new GenerateBatchRequest { Requests = { Enumerable.Range(0, count).Select(_ => new GenerateRequest { Prompt = "x" }) } })
            .FailAsync();

        Assert.Equal((StatusCode.InvalidArgument, $"requests has {count} of them; possible are 1 to 1024"), (status, message));
    }

    [Fact]
    public async Task Leaving_a_batch_ends_all_of_its_requests()
    {
        var begun = new SemaphoreSlim(0);
        var engine = new FakeEngine { BeforeOutput = (_, stop) => { begun.Release(); return Task.Delay(Timeout.Infinite, stop); } };
        await using var server = await GrpcTestServer.StartAsync(engine);
        using var leave = new CancellationTokenSource();

        using var call = server.Text.GenerateBatch(
            new GenerateBatchRequest
            {
                Requests = { new GenerateRequest { RequestId = "a", Prompt = "x" }, new GenerateRequest { RequestId = "b", Prompt = "y" } }
            },
            cancellationToken: leave.Token);
        await begun.WaitAsync();
        await begun.WaitAsync();
        await leave.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await call.ResponseStream.FailNextAsync()).Status);
        Assert.Null(await engine.EndingOf("a"));
        Assert.Null(await engine.EndingOf("b"));
    }

    [Fact]
    public void Constraints_reach_the_engine()
    {
        Assert.Equal(new Constraint.JsonSchema("{}"), TextGenerationSampling.Map(new SamplingParams { JsonSchema = "{}" }, 100).Constraint);
        Assert.Equal(new Constraint.Regex(".*"), TextGenerationSampling.Map(new SamplingParams { Regex = ".*" }, 100).Constraint);
        Assert.Equal(
            """["a","b"]""",
            TextGenerationSampling.Map(new SamplingParams { Choice = new Choice { Texts = { "a", "b" } } }, 100).Constraint!.Text);
        Assert.Equal(new Constraint.JsonObject(), TextGenerationSampling.Map(new SamplingParams { JsonObject = true }, 100).Constraint);
        Assert.Null(TextGenerationSampling.Map(new SamplingParams { JsonObject = false }, 100).Constraint);
    }

    [Fact]
    public void Every_sampling_field_reaches_the_engine()
    {
        var mapped = TextGenerationSampling.Map(
            new SamplingParams
            {
                Temperature = 0.5f,
                TopP = 0.9f,
                TopK = 40,
                MinP = 0.1f,
                RepetitionPenalty = 1.2f,
                PresencePenalty = 0.3f,
                FrequencyPenalty = -0.4f,
                LogitBias = { { 7, -3f } },
                Seed = 1L << 40,
                MaxTokens = 99,
                MinTokens = 3,
                Stop = { "END" },
                StopTokenIds = { 11 },
                IgnoreEos = true,
                IncludeStopStringInOutput = true,
                SkipSpecialTokens = false,
                Logprobs = 5,
                BadWords = { "sea" },
                AllowedTokenIds = { 3, 4 },
            },
            vocabSize: 100);

        Assert.Equal(
            (0.5f, 0.9f, 40, 0.1f, 1.2f, 0.3f, -0.4f),
            (mapped.Temperature, mapped.TopP, mapped.TopK, mapped.MinP, mapped.RepetitionPenalty, mapped.PresencePenalty,
                mapped.FrequencyPenalty));
        Assert.Equal(
            (1L << 40, 99, 3, true, true, false, 5),
            (mapped.Seed, mapped.MaxTokens, mapped.MinTokens, mapped.IgnoreEos, mapped.IncludeStopStringInOutput, mapped.SkipSpecialTokens,
                mapped.Logprobs));
        Assert.Equal(-3f, mapped.LogitBias![7]);
        Assert.Equal(["sea"], mapped.BadWords);
        Assert.Equal([3, 4], mapped.AllowedTokenIds);
        Assert.Equal(["END"], mapped.Stop);
        Assert.Equal([11], mapped.StopTokenIds);
    }

    [Fact]
    public void Unset_sampling_fields_are_those_the_worker_serves_with()
    {
        var served = new SamplingDefaults { Temperature = 0.6f, TopK = 20, MinP = 0.05f, MaxTokens = 9, MaxTokensLimit = 50 };
        var unset = TextGenerationSampling.Map(new SamplingParams(), 100, served);
        var set = TextGenerationSampling.Map(new SamplingParams { TopK = 0, MinP = 0, Temperature = 1, MaxTokens = 99 }, 100, served);

        Assert.Equal((0.6f, 20, 0.05f, 9), (unset.Temperature, unset.TopK, unset.MinP, unset.MaxTokens));
        Assert.Equal((1, 0, 0, 50), (set.Temperature, set.TopK, set.MinP, set.MaxTokens));
    }

    [Fact]
    public void Unset_sampling_fields_are_the_engines_defaults_without_a_token_limit()
    {
        var mapped = TextGenerationSampling.Map(new SamplingParams(), vocabSize: 100);
        var defaults = new SamplingParameters { MaxTokens = null };

        Assert.Equal(defaults with { Stop = mapped.Stop, StopTokenIds = mapped.StopTokenIds, BadWords = mapped.BadWords }, mapped);
        Assert.Empty(mapped.BadWords);
        Assert.Empty(mapped.Stop);
        Assert.Empty(mapped.StopTokenIds);
    }

    [Fact]
    public async Task A_sampling_value_the_engine_refuses_is_an_invalid_argument()
    {
        await using var server = await GrpcTestServer.StartAsync();

        var cold = await server.Text.GenerateAsync(
            new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { Temperature = -1 } }).FailAsync();
        var huge = await server.Text.GenerateAsync(
            new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { TopK = 3_000_000_000 } }).FailAsync();

        Assert.Equal((StatusCode.InvalidArgument, "temperature is -1; it must not be negative"), cold);
        Assert.Equal(
            (StatusCode.InvalidArgument, "logit_bias names token 260; the vocabulary has 260 tokens"),
            await server.Text.GenerateAsync(
                new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { LogitBias = { { 260, 1 } } } }).FailAsync());
        Assert.Equal((StatusCode.InvalidArgument, "top_k is 3000000000; at most 2147483647 is possible"), huge);
    }
}
