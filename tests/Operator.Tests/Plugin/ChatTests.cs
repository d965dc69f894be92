using System.Runtime.CompilerServices;
using Cluster.Common;
using Cluster.Operator.Plugin;
using Cluster.Operator.Tests.Kubernetes;
using Microsoft.AspNetCore.Http;

namespace Cluster.Operator.Tests.Plugin;

public sealed class ChatTests
{
    private readonly ManualTime _time = new();
    private readonly List<List<ChatMessage>> _asked = [];

    [Fact]
    public async Task A_conversation_goes_on_with_what_was_said_until_it_is_reset()
    {
        var output = await TalkAsync(
            "one\n\n/reset\ntwo\n/nonsense\n/exit\nnever\n", system: "be brief",
            (question, _) => Pieces(new ChatPiece("A"), new ChatPiece("nswer", Tokens: 2)));

        Assert.Equal(["be brief|one", "be brief|two"], _asked.Select(Contents));
        Assert.Contains("> Answer\n2 tokens", output, StringComparison.Ordinal);
        Assert.Contains("/nonsense: there are /reset", output, StringComparison.Ordinal);
        Assert.DoesNotContain("never", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_answer_stays_as_far_as_it_was_said()
    {
        using CancellationTokenSource interrupt = new();
        var output = await TalkAsync(
            "one\ntwo\n", system: null,
            (question, token) => question == "one" ? UntilCancelled("Half of", interrupt, token) : Pieces(new ChatPiece("done")),
            action => action(interrupt.Token));

        Assert.Contains("> Half of\ninterrupted", output, StringComparison.Ordinal);
        Assert.Equal("one|Half of|two", Contents(_asked[1]));
    }

    [Fact]
    public async Task A_failure_is_told_and_the_question_forgotten()
    {
        var output = await TalkAsync(
            "one\ntwo\n", system: null,
            (question, _) => question == "one" ? throw new CommandFailure("no replica") : Pieces(new ChatPiece("done")));

        Assert.Contains("error: no replica", output, StringComparison.Ordinal);
        Assert.Equal("two", Contents(_asked[^1]));
    }

    [Fact]
    public async Task Once_writes_the_answer_alone()
    {
        using StringWriter output = new();
        await Session(null, (_, _) => Pieces(new ChatPiece("thinking", IsReasoning: true), new ChatPiece("# Title\n*x*", Tokens: 3)))
            .OnceAsync("why", output, TestContext.Current.CancellationToken);

        Assert.Equal("# Title\n*x*\n", output.ToString());
    }

    [Fact]
    public async Task A_stream_is_read_with_reasoning_text_and_count_and_the_settings_are_sent()
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("""
                data: {"choices":[{"delta":{"role":"assistant"}}]}

                data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}

                data: {"choices":[{"delta":{"content":"leaves "}}]}

                data: {"choices":[{"delta":{"content":"fall"}}]}

                data: {"choices":[],"usage":{"completion_tokens":2}}

                data: [DONE]


                """);
        });
        using var http = ReplicaHttp.To(server.Address, "key");
        ChatClient client = new(http, "haiku", new ChatSettings(Temperature: 0.5, MaxTokens: 7), "server");
        List<ChatPiece> pieces = [];
        await foreach (var piece in client.AskAsync([new ChatMessage("user", "hi")], TestContext.Current.CancellationToken))
        {
            pieces.Add(piece);
        }

        Assert.Equal([new ChatPiece("hm", true), new("leaves "), new("fall"), new("", false, 2)], pieces);
        var request = Assert.Single(server.Requests);
        Assert.Equal(("/v1/chat/completions", "Bearer key"), (request.Target, request.Headers["Authorization"]));
        Assert.Contains("\"temperature\":0.5", request.Body, StringComparison.Ordinal);
        Assert.Contains("\"max_tokens\":7", request.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("top_p", request.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, """{"error":{"message":"no model 'x'"}}""", "server answered 404: no model 'x'")]
    [InlineData(401, "{}", "a key is taken from OPENAI_API_KEY")]
    [InlineData(200, "data: {\"error\":{\"message\":\"the replica died\"}}\n\n", "server ended with an error: the replica died")]
    [InlineData(200, "data: {nonsense\n\n", "server streams what is not JSON")]
    public async Task What_goes_wrong_is_told_in_the_server_s_words(int status, string body, string message)
    {
        await using var server = await ScriptedApiServer.StartAsync();
        server.Then(status, body);
        using var http = ReplicaHttp.To(server.Address, null);
        ChatClient client = new(http, "x", new ChatSettings(), "server");

        var failure = await Assert.ThrowsAsync<CommandFailure>(async () =>
        {
            await foreach (var _ in client.AskAsync([new ChatMessage("user", "hi")], TestContext.Current.CancellationToken))
            {
            }
        });

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    private static string Contents(IEnumerable<ChatMessage> messages) => string.Join('|', messages.Select(message => message.Content));

    private static IAsyncEnumerable<ChatPiece> Pieces(params ChatPiece[] pieces) => pieces.ToAsyncEnumerable();

    private static async IAsyncEnumerable<ChatPiece> UntilCancelled(
        string text, CancellationTokenSource interrupt, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new ChatPiece(text);
        await interrupt.CancelAsync();
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private async Task<string> TalkAsync(
        string input, string? system, Func<string, CancellationToken, IAsyncEnumerable<ChatPiece>> answer,
        Func<Func<CancellationToken, Task>, Task>? interruptible = null)
    {
        using StringReader reader = new(input);
        using StringWriter writer = new();
        await Session(system, answer, interruptible).TalkAsync(reader, writer, colour: false);
        return writer.ToString();
    }

    private ChatSession Session(
        string? system, Func<string, CancellationToken, IAsyncEnumerable<ChatPiece>> answer,
        Func<Func<CancellationToken, Task>, Task>? interruptible = null) => new(
            (messages, token) =>
            {
                _asked.Add([.. messages]);
                return answer(messages[^1].Content, token);
            },
            system, interruptible ?? (action => action(CancellationToken.None)), _time);
}
