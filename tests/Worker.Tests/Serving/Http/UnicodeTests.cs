namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>Strings that are valid JSON and no text.</summary>
public sealed class UnicodeTests
{
    private const string Hi = "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]";

    [Theory]
    [InlineData("/v1/completions", """{"prompt": "x", "user": "\ud83d"}""", "user")]
    [InlineData("/v1/completions", """{"prompt": ["x", "\uDC00"]}""", "prompt[1]")]
    [InlineData("/v1/completions", """{"prompt": "x", "stop": ["\ud83d"]}""", "stop[0]")]
    [InlineData("/v1/completions", """{"prompt": "x", "guided_json": {"type": "string", "enum": ["\ud83d"]}}""", "guided_json.enum[0]")]
    [InlineData("/v1/completions", """{"prompt": "x", "metadata": {"\ud83d": 1}}""", null)]
    [InlineData("/v1/completions", """{"prompt": "x", "\ud83d": 1}""", null)]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "\ud83d", "content": "x"}]}""", "messages[0].role")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x", "name": "\ud83d"}]}""", "messages[0].name")]
    [InlineData("/v1/chat/completions", "{" + Hi + """, "response_format": {"type": "\ud83d"}}""", "response_format.type")]
    [InlineData(
        "/v1/chat/completions", "{" + Hi + """, "chat_template_kwargs": {"a": ["\ud83d\ud83d"]}}""", "chat_template_kwargs.a[0]")]
    [InlineData(
        "/v1/chat/completions", "{" + Hi + """, "tools": [{"type": "function", "function": {"name": "f", "description": "\ud83d"}}]}""",
        "tools[0].function.description")]
    [InlineData("/generate", """{"prompt": "x", "bad_words": ["\ud83d"]}""", "bad_words[0]")]
    [InlineData("/tokenize", """{"prompt": "x", "model": "\ud83d"}""", "model")]
    public async Task A_lone_surrogate_is_refused_by_its_path(string path, string json, string? parameter)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(path, json);

        Assert.Equal((400, parameter), (status, (string?)body["error"]!["param"]));
        Assert.Contains("Unicode", (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_refused_by_their_path_too()
    {
        await using var server = await HttpTestServer.StartAsync();
        using var content = new ByteArrayContent([.. "{\"prompt\": \"x\", \"user\": \""u8, 0xC3, .. "\"}"u8]);
        content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue("application/json");

        using var response = await server.Client.PostAsync("/v1/completions", content);

        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("'user' is not valid Unicode text", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\\ud83d\\ude00")]
    [InlineData("\\\\ud83d")]
    public async Task A_whole_pair_and_an_escaped_backslash_are_text(string user)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, _) = await server.PostAsync("/v1/completions", $$"""{"prompt": "x", "user": "{{user}}"}""");

        Assert.Equal(200, status);
    }
}
