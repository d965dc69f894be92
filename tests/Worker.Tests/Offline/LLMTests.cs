using System.Text.Json.Nodes;
using Cluster.Worker.Offline;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Serving;

namespace Cluster.Worker.Tests.Offline;

/// <summary>The public class on the sample model. Its oracle is the HTTP API: the same tokens, texts and log-probabilities to the last
/// bit.</summary>
public sealed class LLMTests(LLMTests.Models models) : IClassFixture<LLMTests.Models>
{
    private const int NumTokens = 24;

    private static readonly string[] Prompts = ["The sea", "Write a haiku about artificial intelligence", "a", "Moon over the"];

    [Theory]
    [InlineData(0f)]
    [InlineData(0.9f)]
    public async Task Texts_and_logprobs_are_those_of_the_server(float temperature)
    {
        var outputs = models.LLM.Generate(
            Prompts,
            new SamplingParams { Temperature = temperature, Seed = 7, MaxTokens = NumTokens, Logprobs = 3, PromptLogprobs = 1, N = 2 });

        Assert.Equal(Prompts, outputs.Select(output => output.Prompt));
        for (var i = 0; i < Prompts.Length; i++)
        {
            var choices = await AskAsync("/v1/completions", new JsonObject
            {
                ["prompt"] = Prompts[i],
                ["temperature"] = temperature,
                ["seed"] = 7,
                ["max_tokens"] = NumTokens,
                ["logprobs"] = 3,
                ["prompt_logprobs"] = 1,
                ["n"] = 2,
            });
            Assert.Equal(2, outputs[i].Outputs.Count);
            for (var n = 0; n < 2; n++)
            {
                var (ours, theirs) = (outputs[i].Outputs[n], choices[n]!);
                Assert.Equal((string)theirs["text"]!, ours.Text);
                Assert.Equal((string?)theirs["finish_reason"], ours.FinishReason);
                Assert.Equal(
                    theirs["logprobs"]!["token_logprobs"]!.AsArray().Select(value => (float)value!),
                    ours.Logprobs!.Select(position => position.Chosen.Value));
                Assert.Equal(
                    theirs["logprobs"]!["tokens"]!.AsArray().Select(value => (string)value!),
                    ours.Logprobs!.Select(position => position.Chosen.Token));
                Assert.Equal(ours.TokenIds, ours.Logprobs!.Select(position => position.Chosen.TokenId));
            }

            var prompt = choices[0]!["prompt_logprobs"]!.AsArray();
            Assert.Equal(prompt.Count, outputs[i].PromptLogprobs!.Count);
            Assert.Equal(
                prompt.Skip(1).Select((position, at) =>
                    (float)position![$"{outputs[i].PromptTokenIds[at + 1]}"]!["logprob"]!),
                outputs[i].PromptLogprobs!.Skip(1).Select(position => position!.Chosen.Value));
        }
    }

    [Fact]
    public async Task Conversations_are_answered_as_the_server_answers_them()
    {
        ChatMessage[][] conversations =
        [
            [ChatMessage.User("Write a haiku about artificial intelligence")],
            [
                ChatMessage.System("You are a poet"), ChatMessage.User("The sea"), ChatMessage.Assistant("is wide"),
                ChatMessage.User("Go on"),
            ],
        ];

        var outputs = models.LLM.Chat(conversations, new SamplingParams { Temperature = 0, MaxTokens = NumTokens, Logprobs = 0 });

        foreach (var (conversation, output) in conversations.Zip(outputs))
        {
            var choices = await AskAsync("/v1/chat/completions", new JsonObject
            {
                ["messages"] = new JsonArray(
                    [.. conversation.Select(one => new JsonObject { ["role"] = one.Role, ["content"] = one.Content })]),
                ["temperature"] = 0,
                ["max_tokens"] = NumTokens,
                ["logprobs"] = true,
            });
            Assert.Equal((string)choices[0]!["message"]!["content"]!, output.Outputs[0].Text);
            Assert.Equal(
                choices[0]!["logprobs"]!["content"]!.AsArray().Select(one => (float)one!["logprob"]!),
                output.Outputs[0].Logprobs!.Select(position => position.Chosen.Value));
        }
    }

    [Fact]
    public async Task A_stream_comes_to_the_whole_and_ends_with_its_reason()
    {
        var sampling = new SamplingParams { Temperature = 0, MaxTokens = NumTokens };
        var whole = models.LLM.Generate(Prompts[0], sampling).Outputs[0];
        var parts = await models.LLM.StreamAsync(Prompts[0], sampling, TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

        Assert.True(parts.Count > 1);
        Assert.Equal(whole.Text, string.Concat(parts.Select(part => part.Text)));
        Assert.Equal(whole.TokenIds, parts.SelectMany(part => part.TokenIds));
        Assert.Equal(whole.FinishReason, parts[^1].FinishReason);
        Assert.All(parts.SkipLast(1), part => Assert.Null(part.FinishReason));
    }

    [Fact]
    public async Task Many_prompts_are_answered_in_order_with_progress()
    {
        string[] prompts = [.. Enumerable.Range(0, 200).Select(i => $"{Prompts[i % Prompts.Length]} {i}")];
        var reports = new Reports();

        var outputs = await models.LLM.GenerateAsync(
            prompts.Select(Prompt.OfText), new SamplingParams { Temperature = 0, MaxTokens = 3 }, reports,
            TestContext.Current.CancellationToken);

        Assert.Equal(prompts, outputs.Select(output => output.Prompt));
        Assert.Equal(Enumerable.Range(1, 200), reports.All.Select(report => report.Finished));
        Assert.All(reports.All, report => Assert.Equal(200, report.Total));
        Assert.Equal(outputs.Sum(output => output.Outputs[0].TokenIds.Count), reports.All[^1].OutputTokens);
    }

    [Fact]
    public void Tokens_are_a_prompt_as_they_are()
    {
        var sampling = new SamplingParams { Temperature = 0, MaxTokens = 8 };
        var text = models.LLM.Generate(Prompts[1], sampling);

        var tokens = models.LLM.Generate(Prompt.OfTokens(text.PromptTokenIds), sampling);

        Assert.Null(tokens.Prompt);
        Assert.Equal(text.Outputs[0].TokenIds, tokens.Outputs[0].TokenIds);
    }

    [Fact]
    public void An_output_keeps_to_what_it_must_look_like()
    {
        var output = models.LLM.Generate(
            "A number:", new SamplingParams { MaxTokens = 16, Seed = 1, StructuredOutput = StructuredOutput.Matching("[0-9]{3}") });

        Assert.Matches("^[0-9]{3}$", output.Outputs[0].Text);
        Assert.Contains(
            models.LLM.Generate("Yes?", new SamplingParams { StructuredOutput = StructuredOutput.OneOf("yes", "no") }).Outputs[0].Text,
            (string[])["yes", "no"]);
    }

    [Fact]
    public void Beams_are_those_of_the_engine()
    {
        var output = models.LLM.Generate(
            Prompts[0], new SamplingParams { Temperature = 0, UseBeamSearch = true, N = 2, BestOf = 3, MaxTokens = 6, Logprobs = 0 });

        Assert.Equal(2, output.Outputs.Count);
        Assert.True(
            output.Outputs[0].CumulativeLogprob / output.Outputs[0].TokenIds.Count
            >= output.Outputs[1].CumulativeLogprob / output.Outputs[1].TokenIds.Count);
    }

    [Fact]
    public async Task What_cannot_be_used_is_an_argument_error_that_names_it()
    {
        var sampling = Assert.Throws<ArgumentException>(() => models.LLM.Generate("x", new SamplingParams { TopP = 2 }));
        var prompt = Assert.Throws<ArgumentException>(() => models.LLM.Generate(Prompt.OfTokens(1 << 30)));
        var chat = Assert.Throws<ArgumentException>(() => models.LLM.Chat(Array.Empty<ChatMessage>()));
        var stream = await Assert.ThrowsAsync<ArgumentException>(
            () => models.LLM.StreamAsync("x", new SamplingParams { N = 0 }).ToListAsync().AsTask());

        Assert.Contains("top_p is 2", sampling.Message, StringComparison.Ordinal);
        Assert.Contains("outside the vocabulary", prompt.Message, StringComparison.Ordinal);
        Assert.Contains("'messages' is required", chat.Message, StringComparison.Ordinal);
        Assert.Contains("n is 0", stream.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leaving_a_stream_or_cancelling_a_call_leaves_the_engine_for_others()
    {
        using var stop = new CancellationTokenSource();
        await foreach (var _ in models.LLM.StreamAsync("The sea", new SamplingParams { MaxTokens = 400, IgnoreEos = true }, stop.Token))
        {
            break;
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => models.LLM.GenerateAsync(["The sea"], cancellationToken: stop.Token));

        Assert.NotEmpty(models.LLM.Generate("The sea", new SamplingParams { Temperature = 0 }).Outputs[0].Text);
    }

    [Fact]
    public async Task Options_are_the_command_lines()
    {
        var lines = new List<string>();
        await using var llm = await LLM.LoadAsync(
            Fixtures.Haiku,
            new LLMOptions
            {
                MaxModelLen = 32,
                MaxNumSeqs = 2,
                Arguments = ["--max_model_len=64", "--speculative-model", "[ngram]", "--num-spec=2", "--swap-space", "4"],
                Log = lines.Add,
            },
            TestContext.Current.CancellationToken);

        Assert.Equal(64, llm.MaxModelLength);
        Assert.Contains(lines, line => line.StartsWith("speculative decoding: 2 tokens", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("--swap-space 4 has no effect", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--max-model-len=0", "--max-model-len 0: must be at least 1")]
    [InlineData("--colour", "Unrecognized command or argument '--colour'")]
    public async Task An_option_that_is_wrong_is_an_argument_error(string option, string message)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(
            () => LLM.LoadAsync(Fixtures.Haiku, new LLMOptions { Arguments = [option] }, TestContext.Current.CancellationToken));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_cannot_be_loaded_is_told_with_what_would_be_right()
    {
        using var empty = new TemporaryFolder();
        var error = Assert.Throws<LLMException>(() => new LLM(empty.Path));
        Assert.Contains(empty.Path, error.Message, StringComparison.Ordinal);
    }

    private async Task<JsonArray> AskAsync(string path, JsonObject request)
    {
        var (status, body) = await models.Server.Http.PostAsync(path, request.ToJsonString());
        Assert.True(status == 200, body.ToJsonString());
        return body["choices"]!.AsArray();
    }

    /// <summary>The model twice: in this process' public class, and behind a server.</summary>
    public sealed class Models : IAsyncLifetime
    {
        private HaikuServer? _server;
        private LLM? _llm;

        internal HaikuServer Server => _server!;

        internal LLM LLM => _llm!;

        public async ValueTask InitializeAsync()
        {
            _server = await HaikuServer.StartAsync();
            _llm = await LLM.LoadAsync(Fixtures.Haiku, new LLMOptions { MaxModelLen = 512, MaxNumSeqs = 16 });
        }

        public async ValueTask DisposeAsync()
        {
            await _llm!.DisposeAsync();
            await _server!.DisposeAsync();
        }
    }

    private sealed class Reports : IProgress<GenerationProgress>
    {
        public List<GenerationProgress> All { get; } = [];

        public void Report(GenerationProgress value) => All.Add(value);
    }
}
