using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class BadRequestTests
{
    [Theory]
    [InlineData("/v1/completions", "{", 400, "JSON")]
    [InlineData("/v1/completions", "[]", 400, "object")]
    [InlineData("/v1/completions", "{}", 400, "prompt")]
    [InlineData("/v1/completions", """{"prompt": []}""", 400, "prompt")]
    [InlineData("/v1/completions", """{"prompt": [1, "a"]}""", 400, "prompt")]
    [InlineData("/v1/completions", """{"prompt": "x", "n": 0}""", 400, "n")]
    [InlineData("/v1/completions", """{"prompt": "x", "n": 100000}""", 400, "n")]
    [InlineData("/v1/completions", """{"prompt": "x", "max_tokens": 1.5}""", 400, "max_tokens")]
    [InlineData("/v1/completions", """{"prompt": "x", "max_tokens": 99999999999}""", 400, "max_tokens")]
    [InlineData("/v1/completions", """{"prompt": "x", "temperature": 1e999}""", 400, "temperature")]
    [InlineData("/v1/completions", """{"prompt": "x", "temperature": "hot"}""", 400, "temperature")]
    [InlineData("/v1/completions", """{"prompt": "x", "logit_bias": {"a": 1}}""", 400, "logit_bias")]
    [InlineData("/v1/completions", """{"prompt": "x", "stop": [1]}""", 400, "stop")]
    [InlineData("/v1/completions", """{"prompt": "x", "suffix": "y"}""", 400, "suffix")]
    [InlineData("/v1/completions", """{"prompt": "x", "best_of": 2, "stream": true}""", 400, "best_of")]
    [InlineData("/v1/completions", """{"prompt": "x", "n": 3, "best_of": 2}""", 400, "best_of")]
    [InlineData("/v1/completions", """{"prompt": "x", "n": 2, "use_beam_search": true, "stream": true}""", 400, "use_beam_search")]
    [InlineData("/v1/completions", """{"prompt": "x", "use_beam_search": 1}""", 400, "use_beam_search")]
    [InlineData("/v1/completions", """{"prompt": "x", "length_penalty": 2}""", 400, "use_beam_search")]
    [InlineData("/v1/completions", """{"prompt": "x", "early_stopping": "never"}""", 400, "use_beam_search")]
    [InlineData("/v1/completions", """{"prompt": "x", "use_beam_search": true, "early_stopping": "always"}""", 400, "early_stopping")]
    [InlineData("/v1/completions", """{"prompt": "x", "prompt_logprobs": 1, "stream": true}""", 400, "prompt_logprobs")]
    [InlineData("/v1/completions", """{"prompt": "x", "prompt_logprobs": true}""", 400, "prompt_logprobs")]
    [InlineData("/v1/completions", """{"prompt": "x", "max_tokens": 0}""", 400, "max_tokens")]
    [InlineData("/v1/completions", """{"prompt": "x", "truncate_prompt_tokens": 0}""", 400, "truncate_prompt_tokens")]
    [InlineData("/v1/completions", """{"prompt": "x", "truncate_prompt_tokens": 1000001}""", 400, "1000000")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "echo": true}""", 400, "echo")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "truncate_prompt_tokens": -2}""", 400,
        "truncate_prompt_tokens")]
    [InlineData("/generate", """{"prompt": "x", "prompt_logprobs": 1}""", 400, "prompt_logprobs")]
    [InlineData("/tokenize", """{"prompt": "x", "truncate_prompt_tokens": 1}""", 400, "truncate_prompt_tokens")]
    [InlineData("/v1/completions", """{"prompt": ["x", "y"], "best_of": 65}""", 400, "best_of")]
    [InlineData("/v1/completions", """{"prompt": "x", "stream_options": {"include_usage": true}}""", 400, "stream_options")]
    [InlineData("/v1/completions", """{"prompt": "x", "model": "other"}""", 404, "other")]
    [InlineData("/v1/completions", """{"prompt": "x", "colour": "blue"}""", 400, "colour")]
    [InlineData("/v1/completions", """{"prompt": "\ud800"}""", 400, "prompt")]
    [InlineData("/v1/chat/completions", "{}", 400, "messages")]
    [InlineData("/v1/chat/completions", """{"messages": [{"content": "x"}]}""", 400, "messages[0].role")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user"}]}""", 400, "messages[0].content")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}""", 400, "messages[0].content[0]")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": {}}]}]}""", 400,
        "'messages[0].content[1]' is of type 'input_audio': this model's text is served, a tower for sound is not")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "alien", "content": "x"}]}""", 400, "alien")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "top_logprobs": 3}""", 400, "logprobs")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "logprobs": true, "top_logprobs": 21}""", 400,
        "top_logprobs")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "tool_choice": "required"}""", 400, "tool_choice")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "tool_choice": "sometimes"}""", 400, "tool_choice")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "tool_choice": {"type": "function"}}""", 400,
        "tool_choice")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages": [{"role": "user", "content": "x"}], "tool_choice": {"type": "function", "function": {"name": "later"}}, "tools": [{"type": "function", "function": {"name": "now"}}]}""", 400, "later")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages": [{"role": "user", "content": "x"}], "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "now"}}], "guided_regex": "a"}""", 400, "tool_choice")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "modalities": ["text", "audio"]}""", 400, "modalities")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "reasoning_effort": 3}""", 400, "reasoning_effort")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "xml"}}""", 400,
        "response_format")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object", "indent": 2}}""", 400,
        "response_format.indent")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {}, "version": 7}}}""", 400, "version")]
    [InlineData("/v1/completions", """{"prompt": "x", "guided_regex": "a", "guided_choice": ["a"]}""", 400, "guided_choice")]
    [InlineData(
        "/v1/completions", """{"prompt": "x", "structured_outputs": {"grammar": 5}}""", 400, "structured_outputs.grammar")]
    [InlineData("/v1/completions", """{"prompt": "x", "guided_grammar": 5}""", 400, "guided_grammar")]
    [InlineData("/v1/completions", """{"prompt": "x", "logits_processors": ["a.b"]}""", 400, "bad_words")]
    [InlineData("/v1/completions", """{"prompt": "x", "allowed_token_ids": [1.5]}""", 400, "allowed_token_ids")]
    [InlineData("/v1/completions", """{"prompt": "x", "bad_words": "sea"}""", 400, "bad_words")]
    [InlineData("/v1/completions", """{"prompt": "x", "cache_salt": 5}""", 400, "cache_salt")]
    [InlineData("/v1/completions", """{"prompt": "x", "request_id": "a\nb"}""", 400, "request_id")]
    [InlineData("/v1/completions", """{"prompt": "x", "priority": "high"}""", 400, "priority")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "verbosity": "loud"}""", 400, "verbosity")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x", "content": "y"}]}""", 400, "content")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}""", 400, "tools")]
    [InlineData("/generate", "{}", 400, "prompt")]
    [InlineData("/detokenize", """{"tokens": [100000]}""", 400, "100000")]
    [InlineData("/tokenize", "{}", 400, "prompt")]
    [InlineData("/tokenize", """{"prompt": "\u0007"}""", 400, "no token for the bell")]
    [InlineData("/v1/completions", """{"prompt": "\u0007"}""", 400, "no token for the bell")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "\u0007"}]}""", 400, "no token for the bell")]
    [InlineData("/nowhere", "{}", 404, "/nowhere")]
    public async Task The_answer_names_what_is_wrong(string path, string json, int expectedStatus, string named)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(path, json);

        Assert.Equal(expectedStatus, status);
        Assert.Contains(named, (string?)body["error"]!["message"], StringComparison.Ordinal);
        Assert.NotNull((string?)body["error"]!["type"]);
        Assert.True(body["error"]!.AsObject().ContainsKey("param"));
    }

    [Theory]
    [InlineData("/v1/completions", """{"prompt": "x", "model": "other"}""", 404, "invalid_request_error", "model", "model_not_found")]
    [InlineData(
        "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "colour": 1}""", 400, "invalid_request_error", "colour",
        null)]
    [InlineData("/v1/completions", "{]", 400, "invalid_request_error", null, null)]
    [InlineData("/v1/nowhere", "{}", 404, "invalid_request_error", null, "unknown_url")]
    public async Task Errors_have_the_members_of_the_real_service(
        string path, string json, int expected, string type, string? parameter, string? code)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(path, json);

        var error = body["error"]!;
        Assert.Equal(expected, status);
        Assert.Equal((type, parameter, code), ((string?)error["type"], (string?)error["param"], (string?)error["code"]));
    }

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"x\"")]
    [InlineData("/v1/chat/completions", "\"modalities\": [\"text\"], \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]")]
    public async Task Fields_of_the_official_clients_that_change_no_output_are_accepted(string path, string request)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, _) = await server.PostAsync(path, $$$"""
            {{{{request}}}, "user": "me", "safety_identifier": "s", "metadata": {"a": "b"}, "store": true, "service_tier": "flex", "prompt_cache_key": "k",
             "prompt_cache_retention": "24h", "prediction": {"type": "content", "content": "x"} }
            """);

        Assert.Equal(200, status);
    }

    [Theory]
    [InlineData("\"\\u0007\"")]
    [InlineData("[1]")]
    public async Task Too_many_prompts_are_refused_before_any_becomes_tokens(string prompt)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(
            "/v1/completions", $$"""{"prompt": [{{string.Join(',', Enumerable.Repeat(prompt, 129))}}]}""");

        Assert.Equal((400, "prompt"), (status, (string?)body["error"]!["param"]));
        Assert.Contains("129 prompts; at most 128", (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"0123456789\"", "prompt")]
    [InlineData("/v1/completions", "\"prompt\": [\"0\", \"0123456789\"]", "prompt")]
    [InlineData("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"0123456789\"}]", "messages")]
    public async Task A_prompt_too_long_has_the_code_that_clients_look_for(string path, string request, string parameter)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { MaxModelLength = 11 });

        var (status, body) = await server.PostAsync(path, $$"""{ {{request}} }""");

        var error = body["error"]!;
        Assert.Equal((400, parameter, "context_length_exceeded"), (status, (string?)error["param"], (string?)error["code"]));
        Assert.Contains("11", (string?)error["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_outside_its_range_is_the_engines_word_and_names_the_parameter()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync("/v1/completions", """{"prompt": "x", "top_p": 2}""");

        Assert.Equal(400, status);
        Assert.Equal("top_p", (string?)body["error"]!["param"]);
    }

    [Fact]
    public async Task An_engine_that_drains_is_a_503_with_a_time_to_try_again()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { Failure = new EngineUnavailableException("the engine has stopped") });

        using var response = await server.Client.PostAsync("/v1/completions", HttpTestServer.Json("""{"prompt": "x"}"""));

        Assert.Equal(503, (int)response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
    }

    [Fact]
    public async Task An_unexpected_failure_is_a_500_that_tells_no_internals()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { Failure = new InvalidOperationException("secret path /etc") });

        var (status, body) = await server.PostAsync("/v1/completions", """{"prompt": "x"}""");

        Assert.Equal(500, status);
        Assert.DoesNotContain("secret", body.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_in_mid_stream_ends_the_stream_with_an_error_event()
    {
        var engine = new FakeEngine
        {
            Reply = _ => "abcdef",
            BeforeOutput = (made, _) => made < 3 ? Task.CompletedTask : throw new EngineUnavailableException("the engine died")
        };
        await using var server = await HttpTestServer.StartAsync(engine);

        var events = await server.StreamAsync("/v1/completions", """{"prompt": "x", "stream": true}""");

        Assert.Equal("the engine died", (string?)events[^1]["error"]?["message"]);
    }

    [Fact]
    public async Task The_wrong_method_names_the_right_one()
    {
        await using var server = await HttpTestServer.StartAsync();

        using var response = await server.Client.GetAsync("/v1/completions");

        Assert.Equal(405, (int)response.StatusCode);
        Assert.Equal(["POST"], response.Content.Headers.Allow);
        Assert.Contains("POST", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "missing")]
    [InlineData("text/plain", "text/plain")]
    [InlineData("application/x-www-form-urlencoded", "urlencoded")]
    [InlineData("multipart/form-data; boundary=x", "multipart")]
    public async Task What_a_web_page_may_post_unasked_is_no_request(string? contentType, string named)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);
        using var content = new ByteArrayContent("""{"prompt": "x"}"""u8.ToArray());
        content.Headers.ContentType = contentType is null ? null : System.Net.Http.Headers.MediaTypeHeaderValue.Parse(contentType);

        using var response = await server.Client.PostAsync("/v1/completions", content);

        Assert.Equal(415, (int)response.StatusCode);
        Assert.Contains(named, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(engine.Requests);
    }

    [Fact]
    public async Task A_compressed_body_is_refused_by_the_name_of_its_encoding()
    {
        await using var server = await HttpTestServer.StartAsync();
        using var content = HttpTestServer.Json("""{"prompt": "x"}""");
        content.Headers.ContentEncoding.Add("gzip");

        using var response = await server.Client.PostAsync("/v1/completions", content);

        Assert.Equal(415, (int)response.StatusCode);
        Assert.Contains("'gzip'", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"x\"", "")]
    [InlineData("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]", ", \"echo\": false, \"documents\": []")]
    public async Task Fields_of_vLLM_are_accepted_with_the_value_that_changes_nothing(string path, string request, string more)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(path, $$"""
            { {{request}}, "bad_words": [], "allowed_token_ids": null, "priority": 0, "detokenize": true, "spaces_between_special_tokens": true,
              "return_tokens_as_token_ids": false, "return_token_ids": false, "colour": null {{more}} }
            """);

        Assert.True(status == 200, body.ToJsonString());
    }

    [Theory]
    [InlineData("\"detokenize\": false", "detokenize")]
    [InlineData("\"return_token_ids\": true", "return_token_ids")]
    public async Task With_another_value_they_are_refused(string field, string parameter)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync("/v1/completions", $$"""{"prompt": "x", {{field}}}""");

        Assert.Equal((400, parameter), (status, (string?)body["error"]!["param"]));
    }
}
