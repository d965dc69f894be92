using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Serving.Relaying;

/// <summary>Streams that move from one replica to another: what a client gets is what it would have got from one, to the last
/// byte.</summary>
public sealed class RelayTests(RelayFixture replicas) : IClassFixture<RelayFixture>
{
    private const string Chat = "/v1/chat/completions";
    private const string Completions = "/v1/completions";

    private const string Sea = """ "messages": [{"role": "user", "content": "Write a haiku about the sea"}], "stream": true""";
    private const string Pip = """ "prompt": "Once there was a small robot named Pip", "stream": true""";
    private const string Hot = """ "temperature": 1.3, "ignore_eos": true""";

    private const string Schema =
        """{"type": "object", "properties": {"title": {"type": "string", "maxLength": 8}, "stars": {"type": "integer"}}, "required": ["title", "stars"]}""";

    private static readonly Dictionary<string, (string Path, string Body)> Requests = new()
    {
        ["greedy"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 0, "max_tokens": 20, "stream_options": {"include_usage": true}}"""),
        ["to its own end"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 0, "stream_options": {"include_usage": true}}"""),
        ["drawn seed, usage in every event"] =
            (Chat, $$$"""{{{{Sea}}}, {{{Hot}}}, "max_tokens": 20, "stream_options": {"include_usage": true, "continuous_usage_stats": true}}"""),
        ["own seed, nucleus"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 1.5, "top_p": 0.9, "min_p": 0.01, "top_k": 50, "seed": 7, "max_tokens": 20}"""),
        ["three choices"] =
            (Chat, $$$"""{{{{Sea}}}, {{{Hot}}}, "n": 3, "max_tokens": 9, "stream_options": {"include_usage": true, "continuous_usage_stats": true}}"""),
        ["three choices with log-probabilities"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 1.3, "n": 3, "logprobs": true, "top_logprobs": 3, "max_tokens": 8}"""),
        ["log-probabilities"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 0, "logprobs": true, "top_logprobs": 2}"""),
        ["stop text over tokens"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 0, "stop": ["t wind hums a", "never"], "max_tokens": 40}"""),
        ["stop text that is told"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 0, "stop": ["hums an anc"], "include_stop_str_in_output": true, "min_tokens": 4}"""),
        ["penalties"] =
            (Chat, $$$"""{{{{Sea}}}, {{{Hot}}}, "repetition_penalty": 1.3, "presence_penalty": 0.7, "frequency_penalty": 0.4, "max_tokens": 24}"""),
        ["filters"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 1.3, "min_tokens": 12, "max_tokens": 24, "bad_words": ["wind", "shore"], "logit_bias": {"40": 2.5}}"""),
        ["JSON schema"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 1.2, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {{{Schema}}}}}, "max_tokens": 60}"""),
        ["characters of many bytes"] = (Chat, $$$"""{{{{Sea}}}, "temperature": 1.2, "n": 2, "guided_regex": "[äß€🌊本]{7}", "max_tokens": 40}"""),
        ["bytes that are no characters"] = (Completions, $$$"""{{{{Pip}}}, "temperature": 8, "ignore_eos": true, "max_tokens": 40}"""),
        ["a demanded call"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 1.1, "n": 2, "tools": [{"type": "function", "function": {"name": "paint", "parameters": {{{Schema}}}}}], "tool_choice": "required", "max_tokens": 80}"""),
        ["a named call"] =
            (Chat, $$$"""{{{{Sea}}}, "temperature": 1.1, "tools": [{"type": "function", "function": {"name": "paint", "parameters": {{{Schema}}}}}], "tool_choice": {"type": "function", "function": {"name": "paint"}}, "max_tokens": 60}"""),
        ["completion"] = (Completions, $$$"""{{{{Pip}}}, "temperature": 0, "max_tokens": 16, "stream_options": {"include_usage": true}}"""),
        ["one token"] = (Completions, $$$"""{{{{Pip}}}, "max_tokens": 1}"""),
        ["echo"] = (Completions, $$$"""{{{{Pip}}}, {{{Hot}}}, "max_tokens": 12, "echo": true}"""),
        ["echo with log-probabilities"] = (Completions, $$$"""{{{{Pip}}}, {{{Hot}}}, "max_tokens": 12, "echo": true, "logprobs": 3}"""),
        ["echo of nothing else"] = (Completions, $$$"""{{{{Pip}}}, "max_tokens": 0, "echo": true, "logprobs": 1}"""),
        ["echo, log-probabilities, two choices"] =
            (Completions, $$$"""{{{{Pip}}}, {{{Hot}}}, "n": 2, "max_tokens": 7, "echo": true, "logprobs": 2}"""),
        ["several prompts"] =
            (Completions, $$$"""{"prompt": ["What is AMD Instinct?", "Once", "Once"], "stream": true, "n": 2, {{{Hot}}}, "max_tokens": 5, "stream_options": {"include_usage": true, "continuous_usage_stats": true}}"""),
        ["completion with offsets"] = (Completions, $$$"""{{{{Pip}}}, {{{Hot}}}, "logprobs": 2, "stop": ["q", " w"], "max_tokens": 24}"""),
        ["lines"] = ("/generate", $$$"""{{{{Pip}}}, {{{Hot}}}, "max_tokens": 12}"""),
        ["lines of two choices"] = ("/generate", $$$"""{{{{Pip}}}, {{{Hot}}}, "n": 2, "max_tokens": 8, "stop": "e"}"""),
        ["TGI"] = ("/generate_stream", """{"inputs": "Once there was a small robot", "parameters": {"max_new_tokens": 14, "details": true, "top_n_tokens": 2}}"""),
        ["TGI, drawn seed"] =
            ("/generate_stream", """{"inputs": "Once there was", "parameters": {"do_sample": true, "temperature": 1.4, "max_new_tokens": 14, "details": true, "return_full_text": true, "stop": [" the"]}}"""),
        ["TGI, either way"] =
            ("/", """{"inputs": "Once there was", "stream": true, "parameters": {"max_new_tokens": 12, "grammar": {"type": "regex", "value": "[a-z]{3} [ab本]{4}"}}}"""),
    };

    public static TheoryData<string> Titles => [.. Requests.Keys];

    [Theory, MemberData(nameof(Titles))]
    public async Task A_stream_goes_on_elsewhere_to_the_last_byte(string title)
    {
        var (path, body) = Requests[title];
        var whole = await RelayFixture.SendAsync(replicas.First, path, body);
        Assert.True(whole.Events.Count > 0);

        foreach (var cut in replicas.Cuts(whole.Events.Count))
        {
            var delivered = whole.First(cut);
            var rest = await RelayFixture.SendAsync(replicas.OtherFor(cut), path, body, delivered);

            Assert.True(whole.Text == delivered.Text + rest.Text, $"cut at {cut}:\n{whole.Text}\n---\n{delivered.Text}|{rest.Text}");
        }
    }

    [Theory]
    [InlineData("three choices")]
    [InlineData("JSON schema")]
    [InlineData("characters of many bytes")]
    public async Task A_stream_may_move_again_and_again(string title)
    {
        var (path, body) = Requests[title];
        var whole = await RelayFixture.SendAsync(replicas.First, path, body);
        var delivered = RelayedStream.Nothing;
        for (var hop = 1; delivered.Events.Count < whole.Events.Count; hop++)
        {
            var rest = await RelayFixture.SendAsync(replicas.OtherFor(hop), path, body, delivered);
            delivered = delivered.Then(rest.First(3));
        }

        Assert.Equal(whole.Text, delivered.Text);
    }

    [Fact]
    public async Task An_envelope_changes_nothing_but_what_it_gives()
    {
        var (path, body) = Requests["own seed, nucleus"];
        var relayed = await RelayFixture.SendAsync(replicas.First, path, body);

        var plain = await replicas.First.Http.StreamAsync(path, body);

        Assert.Equal(TextOf(plain), TextOf(Events(relayed)));
        Assert.All(Events(relayed), one => Assert.Equal(("chatcmpl-0123", 1764500000), ((string)one["id"]!, (long)one["created"]!)));
        Assert.All(plain, one => Assert.Matches("^chatcmpl-[0-9a-f]{32}$", (string)one["id"]!));
    }

    [Fact]
    public async Task Without_an_envelope_no_event_has_a_mark()
    {
        var (path, body) = Requests["greedy"];
        using var content = Http.HttpTestServer.Json(body);

        using var response = await replicas.First.Http.Client.PostAsync(path, content);
        var text = await response.Content.ReadAsStringAsync();

        Assert.All(
            text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries), one => Assert.StartsWith("data: ", one, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_whole_answer_is_the_same_from_every_replica()
    {
        var body = Requests["a demanded call"].Body.Replace("\"stream\": true", "\"stream\": false", StringComparison.Ordinal);

        var answers = new List<JsonNode>();
        foreach (var server in new[] { replicas.First, replicas.Second, replicas.Third })
        {
            using var request = RelayedStream.Nothing.Request(server.Http.Client.BaseAddress!, Chat, body);
            using var response = await server.Http.Client.SendAsync(request);
            var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
            Assert.Equal(200, (int)response.StatusCode);

            // What a cache holds is a replica's own.
            answer["usage"]!.AsObject().Remove("prompt_tokens_details");
            answers.Add(answer);
        }

        Assert.Equal(answers[0].ToJsonString(), answers[1].ToJsonString());
        Assert.Equal(answers[0].ToJsonString(), answers[2].ToJsonString());
        Assert.StartsWith("call_", (string)answers[0]["choices"]![0]!["message"]!["tool_calls"]![0]!["id"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Usage_counts_what_the_client_was_told_first()
    {
        var body = Requests["greedy"].Body;
        await RelayFixture.SendAsync(replicas.First, Chat, body);
        var whole = await RelayFixture.SendAsync(replicas.First, Chat, body);
        var delivered = whole.First(5);
        var rest = await RelayFixture.SendAsync(replicas.Third, Chat, body, delivered);

        var usage = JsonNode.Parse(rest.Events[^2].Text["data: ".Length..])!["usage"]!;

        Assert.Equal(20, (int)usage["completion_tokens"]!);
        Assert.Equal(delivered.Events[0].CachedTokens, (int)usage["prompt_tokens_details"]!["cached_tokens"]!);
    }

    [Fact]
    public async Task A_worker_that_drains_breaks_off_and_another_goes_on()
    {
        var body = $$$"""{{{{Pip}}}, {{{Hot}}}, "max_tokens": 400, "stream_options": {"include_usage": true}}""";
        var whole = await RelayFixture.SendAsync(replicas.First, Completions, body);
        await using var draining = await HaikuServer.StartAsync(
            options => RelayFixture.WithKey(options) with { ShutdownTimeout = TimeSpan.Zero });
        var ending = Task.CompletedTask;

        var delivered = await RelayFixture.SendAsync(
            draining, Completions, body, enough: events =>
            {
                ending = events < 3 || ending != Task.CompletedTask ? ending : draining.Http.Server.DrainAsync();
                return false;
            });
        await ending;
        var rest = await RelayFixture.SendAsync(replicas.Second, Completions, body, delivered);

        Assert.InRange(delivered.Events.Count, 3, whole.Events.Count);
        Assert.Equal(whole.Text, delivered.Text + rest.Text);
    }

    [Theory]
    [InlineData("greedy")]
    [InlineData("three choices with log-probabilities")]
    [InlineData("completion with offsets")]
    [InlineData("lines")]
    [InlineData("TGI")]
    public async Task What_was_delivered_is_not_generated_again(string title)
    {
        var (path, body) = Requests[title];
        var whole = await RelayFixture.SendAsync(replicas.First, path, body);
        var delivered = whole.First(whole.Events.Count / 2);
        await using var other = await HaikuServer.StartAsync(RelayFixture.WithKey);

        await RelayFixture.SendAsync(other, path, body, delivered);

        Assert.Equal(
            whole.Events.Sum(one => one.Tokens.Length) - delivered.Events.Sum(one => one.Tokens.Length),
            other.Statistics.GenerationTokens);
    }

    [Fact]
    public async Task Sixteen_streams_move_at_once()
    {
        var bodies = Enumerable.Range(0, 16).Select(i => $$$"""{{{{Sea}}}, {{{Hot}}}, "seed": {{{i}}}, "max_tokens": 40}""").ToArray();
        var whole = await Task.WhenAll(bodies.Select(body => RelayFixture.SendAsync(replicas.First, Chat, body)));

        var moved = await Task.WhenAll(bodies.Select(async (body, i) =>
        {
            var delivered = whole[i].First((5 * i) % whole[i].Events.Count);
            return delivered.Then(await RelayFixture.SendAsync(replicas.OtherFor(i), Chat, body, delivered));
        }));

        Assert.Equal(whole.Select(one => one.Text), moved.Select(one => one.Text));
    }

    private static IEnumerable<JsonNode> Events(RelayedStream stream) =>
        stream.Events.Where(one => one.Choice is not null).Select(one => JsonNode.Parse(one.Text["data: ".Length..])!);

    private static string TextOf(IEnumerable<JsonNode> events)
    {
        var text = new StringBuilder();
        foreach (var one in events)
        {
            text.Append((string?)one["choices"]![0]!["delta"]!["content"]);
        }

        return text.ToString();
    }
}
