namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ChatPromptTests
{
    private const string Question = "{\"role\": \"user\", \"content\": \"Sky?\"}";
    private const string Turn = "<|im_start|>user\nSky?<|im_end|>\n";

    [Theory]
    [InlineData("\"chat_template_kwargs\": {\"enable_thinking\": false}", "{\"enable_thinking\":false}" + Turn + "<|im_start|>assistant\n")]
    [InlineData("\"add_generation_prompt\": false", Turn)]
    [InlineData("\"add_special_tokens\": true", "<s>" + Turn + "<|im_start|>assistant\n")]
    public async Task The_request_has_a_say_in_how_its_conversation_is_rendered(string field, string expected) =>
        Assert.Equal(expected, await PromptAsync(Question, field));

    [Theory]
    [InlineData("Blue", "Blue")]
    [InlineData(" Blue as ", " Blue as ")]
    public async Task The_last_message_is_continued(string final, string expected) =>
        Assert.Equal(
            $"{Turn}<|im_start|>assistant\n{expected}",
            await PromptAsync($$"""{{Question}}, {"role": "assistant", "content": "{{final}}"}""", "\"continue_final_message\": true"));

    [Theory]
    [InlineData("\"continue_final_message\": true, \"add_generation_prompt\": true", "continue_final_message")]
    [InlineData("\"chat_template_kwargs\": [1]", "chat_template_kwargs")]
    [InlineData("\"chat_template\": \"x\"", "chat_template")]
    public async Task What_cannot_be_is_refused(string field, string parameter)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync("/v1/chat/completions", $$"""{"messages": [{{Question}}], {{field}}}""");

        Assert.Equal((400, parameter), (status, (string?)body["error"]!["param"]));
    }

    [Fact]
    public async Task A_message_without_text_cannot_be_continued()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(
            "/v1/chat/completions", """{"messages": [{"role": "assistant", "content": " "}], "continue_final_message": true}""");

        Assert.Equal((400, "continue_final_message"), (status, (string?)body["error"]!["param"]));
    }

    /// <summary>The prompt the engine got, which tokenize must count the same.</summary>
    private static async Task<string> PromptAsync(string messages, string field)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);
        var request = $$"""{"messages": [{{messages}}], {{field}}}""";

        Assert.Equal(200, (await server.PostAsync("/v1/chat/completions", request)).Status);
        var (_, tokens) = await server.PostAsync("/tokenize", request);

        var prompt = Assert.Single(engine.Requests).PromptTokenIds;
        Assert.Equal(prompt.Count, (int)tokens["count"]!);
        return new FakeTokenizer().Decode([.. prompt], skipSpecialTokens: false);
    }
}
