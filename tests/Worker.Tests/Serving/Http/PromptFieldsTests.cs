using System.Text.Json.Nodes;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>What a request may ask about its prompt, and beam search, over a scripted engine: each prompt token but the first has -0.25,
/// each of the output -0.5.</summary>
public sealed class PromptFieldsTests
{
    private const string Completions = "/v1/completions";
    private const string Chat = "/v1/chat/completions";

    [Fact]
    public async Task Echoed_log_probabilities_cover_prompt_and_output()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "cd" });

        var (_, body) = await server.PostAsync(
            Completions, """{"prompt": "ab", "echo": true, "logprobs": 2, "add_special_tokens": false}""");
        var events = await server.StreamAsync(
            Completions, """{"prompt": "ab", "echo": true, "logprobs": 2, "add_special_tokens": false, "stream": true}""");

        var choice = body["choices"]![0]!;
        Assert.Equal("abcd", (string?)choice["text"]);
        Assert.False(choice.AsObject().ContainsKey("prompt_logprobs"));
        AssertEchoed([choice["logprobs"]!]);
        Assert.Equal("abcd", string.Concat(events.Select(chunk => (string?)chunk["choices"]![0]!["text"])));
        AssertEchoed(events.Select(chunk => chunk["choices"]![0]!["logprobs"]!));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_output_an_echo_scores_the_prompt(bool stream)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "cd" });
        var json =
            $$"""{"prompt": ["ab", "xyz"], "echo": true, "logprobs": 0, "max_tokens": 0, "add_special_tokens": false, "stream": {{(stream ? "true" : "false")}}}""";

        var choices = stream
            ? (await server.StreamAsync(Completions, json)).Select(chunk => chunk["choices"]![0]!).OrderBy(choice => (int)choice["index"]!)
                .ToArray()
            : [.. (await server.PostAsync(Completions, json)).Body["choices"]!.AsArray().Select(choice => choice!)];

        Assert.Equal(["ab", "xyz"], choices.Select(choice => (string?)choice["text"]));
        Assert.All(choices, choice => Assert.Equal("length", (string?)choice["finish_reason"]));
        Assert.Equal([null, -0.25f, -0.25f], choices[1]["logprobs"]!["token_logprobs"]!.AsArray().Select(value => (float?)value));
        Assert.Equal(["y"], choices[1]["logprobs"]!["top_logprobs"]![1]!.AsObject().Select(pair => pair.Key));
    }

    [Fact]
    public async Task Without_output_and_log_probabilities_an_echo_is_the_prompt()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(
            Completions, """{"prompt": "ab", "echo": true, "max_tokens": 0, "add_special_tokens": false}""");

        Assert.Equal((200, "ab", 0), (status, (string?)body["choices"]![0]!["text"], (int)body["usage"]!["completion_tokens"]!));
        Assert.Null(body["choices"]![0]!["logprobs"]);
    }

    [Fact]
    public async Task Prompt_log_probabilities_have_vLLMs_shape()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "x" });

        var (_, body) = await server.PostAsync(
            Completions, """{"prompt": ["ab", "c"], "n": 2, "prompt_logprobs": 2, "add_special_tokens": false}""");
        var (_, chat) = await server.PostAsync(Chat, """{"messages": [{"role": "user", "content": "a"}], "n": 2, "prompt_logprobs": 0}""");

        var (b, c) = (FakeTokenizer.IdOf((byte)'b'), FakeTokenizer.IdOf((byte)'c'));
        var expected = JsonNode.Parse(
            $$$"""[null, {"{{{b}}}": {"logprob": -0.25, "rank": 1, "decoded_token": "b"}, "{{{c}}}": {"logprob": -1.25, "rank": 2, "decoded_token": "c"}}]""");
        var choices = body["choices"]!.AsArray();
        Assert.True(JsonNode.DeepEquals(expected, choices[0]!["prompt_logprobs"]), choices[0]!.ToJsonString());
        Assert.True(JsonNode.DeepEquals(expected, choices[1]!["prompt_logprobs"]));
        Assert.Null(Assert.Single(choices[2]!["prompt_logprobs"]!.AsArray()));
        Assert.Null(choices[0]!["logprobs"]);
        var positions = chat["prompt_logprobs"]!.AsArray();
        Assert.Equal((int)chat["usage"]!["prompt_tokens"]!, positions.Count);
        Assert.Null(positions[0]);
        Assert.All(positions.Skip(1), position => Assert.Single(position!.AsObject()));
    }

    [Fact]
    public async Task Each_list_is_as_long_as_it_was_asked_for()
    {
        var engine = new FakeEngine { Reply = _ => "x" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (_, body) = await server.PostAsync(
            Completions, """{"prompt": "ab", "echo": true, "logprobs": 1, "prompt_logprobs": 3, "add_special_tokens": false}""");

        Assert.Equal(3, Assert.Single(engine.Requests).Sampling.PromptLogprobs);
        Assert.Single(body["choices"]![0]!["logprobs"]!["top_logprobs"]![1]!.AsObject());
        Assert.Equal(3, body["choices"]![0]!["prompt_logprobs"]![1]!.AsObject().Count);
    }

    [Theory]
    [InlineData(Completions, "\"prompt\": \"abcdef\"")]
    [InlineData(Completions, "\"prompt\": [101, 102, 103, 104, 105, 106]")]
    [InlineData(Chat, "\"messages\": [{\"role\": \"user\", \"content\": \"abcdef\"}]")]
    [InlineData("/generate", "\"prompt\": \"abcdef\"")]
    public async Task A_prompt_is_truncated_at_its_front(string path, string prompt)
    {
        var engine = new FakeEngine { Reply = _ => "x", MaxModelLength = 6 };
        await using var server = await HttpTestServer.StartAsync(engine);

        var whole = await server.PostAsync(path, $$"""{{{prompt}}, "truncate_prompt_tokens": 4}""");
        await server.PostAsync(path, $$"""{{{prompt}}, "truncate_prompt_tokens": -1}""");

        Assert.Equal(200, whole.Status);
        var prompts = engine.Requests.Select(request => request.PromptTokenIds).ToArray();
        Assert.Equal([4, 5], prompts.Select(tokens => tokens.Count));
        Assert.Equal(prompts[1].Skip(1), prompts[0]);
    }

    [Fact]
    public async Task Beam_search_reaches_the_engine_and_is_greedy_by_itself()
    {
        var engine = new FakeEngine { Reply = _ => "x" };
        await using var server = await HttpTestServer.StartAsync(engine);

        await server.PostAsync(
            Completions,
            """{"prompt": "p", "n": 2, "best_of": 4, "use_beam_search": true, "length_penalty": 0.5, "early_stopping": "never"}""");
        await server.PostAsync(
            Chat,
            """{"messages": [{"role": "user", "content": "x"}], "use_beam_search": true, "early_stopping": true, "temperature": 0}""");
        await server.PostAsync(Completions, """{"prompt": "p", "use_beam_search": false, "length_penalty": 1, "early_stopping": false}""");

        var sampling = engine.Requests.Select(request => request.Sampling).ToArray();
        Assert.Equal(
            [new BeamParameters(0.5f, EarlyStopping.Never), new BeamParameters(1, EarlyStopping.Immediate), null],
            sampling.Select(one => one.Beams));
        Assert.Equal(
            (2, 4, 0f, 0f, 1f),
            (sampling[0].N, sampling[0].NumSequences, sampling[0].Temperature, sampling[1].Temperature, sampling[2].Temperature));
    }

    private static void AssertEchoed(IEnumerable<JsonNode> parts)
    {
        var all = parts.ToArray();
        JsonNode?[] Joined(string name) => [.. all.SelectMany(part => part[name]!.AsArray())];
        Assert.Equal(["a", "b", "c", "d"], Joined("tokens").Select(token => (string?)token));
        Assert.Equal([null, -0.25f, -0.5f, -0.5f], Joined("token_logprobs").Select(value => (float?)value));
        Assert.Equal(
            [null, "b c", "c d", "d e"],
            Joined("top_logprobs").Select(top => top is null ? null : string.Join(' ', top.AsObject().Select(pair => pair.Key))));
        Assert.Equal([0, 1, 2, 3], Joined("text_offset").Select(offset => (int)offset!));
    }
}
