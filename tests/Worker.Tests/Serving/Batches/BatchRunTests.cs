using System.Text.Json.Nodes;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Batches;
using Cluster.Worker.Tests.Serving.Http;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Serving.Batches;

/// <summary>Files of requests, answered by the HTTP API without a socket, over the scripted engine.</summary>
public sealed class BatchRunTests : IAsyncLifetime
{
    private const int MaxLineBytes = 4096;

    private readonly TemporaryFolder _folder = new();
    private readonly InProcessServer _api = new();
    private readonly ServingState _state = new(TimeProvider.System);
    private WorkerServer? _server;

    private string Output => Path.Combine(_folder.Path, "out.jsonl");

    public async ValueTask InitializeAsync()
    {
        _server = await WorkerServer.StartAsync(
            new ServerOptions("127.0.0.1", 0, 0, TimeSpan.FromSeconds(1)), _state, "model",
            logging => logging.SetMinimumLevel(LogLevel.None), TimeProvider.System, CancellationToken.None, _api);
        _server.BecomeReady(
            new ServedModel(["model"], "/models/model", new FakeEngine(), new FakeTokenizer(), new FakeChatTemplate(), ["cpu"]));
    }

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Every_endpoint_answers_a_line_as_it_answers_a_client()
    {
        await using var http = await HttpTestServer.StartAsync();
        (string Url, string Body)[] requests =
        [
            ("/v1/completions", """{"prompt": "hello", "max_tokens": 3}"""),
            ("/v1/chat/completions", """{"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}"""),
            ("/tokenize", """{"prompt": "hello"}"""),
            ("/v1/completions", """{"prompt": "hello", "colour": 1}"""),
            ("/v1/nowhere", """{}"""),
        ];

        var answers = await RunAsync([.. requests.Select((one, i) => Line($"r{i}", one.Url, one.Body))]);

        foreach (var (request, i) in requests.Select((one, i) => (one, i)))
        {
            var answer = answers.Single(one => (string?)one["custom_id"] == $"r{i}");
            var (status, body) = await http.PostAsync(request.Url, request.Body);
            Assert.Equal(status, (int)answer["response"]!["status_code"]!);
            Assert.Equal(Stable(body), Stable(answer["response"]!["body"]!));
            Assert.Null(answer["error"]);
            Assert.StartsWith("req_", (string)answer["response"]!["request_id"]!, StringComparison.Ordinal);
            Assert.Equal($"batch_req_{i + 1}", (string)answer["id"]!);
        }
    }

    [Theory]
    [InlineData("{", null, "invalid_json_line")]
    [InlineData("[]", null, "invalid_json_line")]
    [InlineData("""{"method": "POST", "url": "/v1/completions", "body": {}}""", null, "invalid_custom_id")]
    [InlineData("""{"custom_id": "", "url": "/v1/completions", "body": {}}""", null, "invalid_custom_id")]
    [InlineData("""{"custom_id": "x", "method": "GET", "url": "/v1/models", "body": {}}""", "x", "invalid_method")]
    [InlineData("""{"custom_id": "x", "url": "http://other/v1/completions", "body": {}}""", "x", "invalid_url")]
    [InlineData("""{"custom_id": "x", "url": "/v1/completions"}""", "x", "invalid_body")]
    [InlineData("""{"custom_id": "x", "url": "/v1/completions", "body": {"prompt": "a", "stream": true}}""", "x", "invalid_body")]
    [InlineData("""{"custom_id": "\ud800", "url": "/v1/completions", "body": {}}""", null, "invalid_json_line")]
    public async Task A_line_that_is_wrong_has_an_error_and_ends_nothing(string line, string? id, string code)
    {
        var answers = await RunAsync([Good("a"), line, Good("b")]);

        Assert.Equal(3, answers.Count);
        var wrong = answers.Single(one => (string?)one["id"] == "batch_req_2");
        Assert.Equal(id, (string?)wrong["custom_id"]);
        Assert.Null(wrong["response"]);
        Assert.Equal(code, (string)wrong["error"]!["code"]!);
        Assert.Equal(2, (int)wrong["error"]!["line"]!);
        Assert.All(answers.Where(one => one != wrong), one => Assert.Equal(200, (int)one["response"]!["status_code"]!));
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_never_held_and_told()
    {
        var answers = await RunAsync([Good("a"), new string('x', 40 * MaxLineBytes), Good("b")]);

        Assert.Equal("line_too_long", (string)answers.Single(one => (string?)one["id"] == "batch_req_2")["error"]!["code"]!);
        Assert.Equal(3, answers.Count);
    }

    [Fact]
    public async Task The_second_of_two_equal_names_has_an_error()
    {
        var answers = await RunAsync([Good("a"), Good("a")]);

        Assert.Equal("duplicate_custom_id", (string)answers.Single(one => (string?)one["id"] == "batch_req_2")["error"]!["code"]!);
        Assert.NotNull(answers.Single(one => (string?)one["id"] == "batch_req_1")["response"]);
    }

    [Fact]
    public async Task A_second_run_asks_only_what_is_left_and_mends_a_line_that_was_being_written()
    {
        string[] input = [Good("a"), "{", "", Good("b"), Good("c"), Good("d")];
        await RunAsync(input);
        var lines = await File.ReadAllLinesAsync(Output, TestContext.Current.CancellationToken);
        Assert.Equal(5, lines.Length);

        // As a process leaves it that is killed in the middle of its fourth line.
        await File.WriteAllTextAsync(
            Output, string.Join('\n', lines[..3]) + "\n" + lines[3][..20], TestContext.Current.CancellationToken);
        var reports = new List<(int, int)>();
        var answers = await RunAsync(input, (finished, total, _) =>
        {
            lock (reports)
            {
                reports.Add((finished, total));
            }
        });

        Assert.Equal(lines[..3], (await File.ReadAllLinesAsync(Output, TestContext.Current.CancellationToken))[..3]);
        Assert.Equal(
            ["batch_req_1", "batch_req_2", "batch_req_4", "batch_req_5", "batch_req_6"],
            answers.Select(one => (string)one["id"]!).Order(StringComparer.Ordinal));
        Assert.Equal((3, 5), reports[0]);
        Assert.Contains((5, 5), reports);

        Assert.Equal(5, (await RunAsync(input)).Count);
    }

    [Fact]
    public async Task The_output_of_another_input_is_refused_and_kept()
    {
        await RunAsync([Good("a"), Good("b")]);
        var before = await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<FormatException>(() => RunAsync([Good("b"), Good("a")]));

        Assert.Contains("belongs to another input: it answers line 1 as 'a', which is 'b' now", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken));
        await File.WriteAllTextAsync(Output, "a poem\n", TestContext.Current.CancellationToken);
        Assert.Contains(
            "line 1 is no line of a batch's output", (await Assert.ThrowsAsync<FormatException>(() => RunAsync([Good("b")]))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_runs_cannot_write_one_file()
    {
        using var first = await BatchOutput.OpenAsync(Output, TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<IOException>(() => BatchOutput.OpenAsync(Output, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_server_that_can_answer_no_more_ends_the_run_and_its_requests_are_asked_again()
    {
        _state.Fail("the device is lost");

        var error = await Assert.ThrowsAsync<IOException>(() => RunAsync([Good("a")]));

        Assert.Contains("the device is lost", error.Message, StringComparison.Ordinal);
        Assert.Empty(await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken));
    }

    private static string Good(string id) => Line(id, "/v1/completions", """{"model": "model", "prompt": "hello", "max_tokens": 2}""");

    private static string Line(string id, string url, string body) =>
        $$"""{"custom_id": "{{id}}", "method": "POST", "url": "{{url}}", "body": {{body}}}""";

    /// <summary>An answer without what differs between two answers to one request.</summary>
    private static string Stable(JsonNode body)
    {
        var copy = body.DeepClone();
        if (copy is JsonObject answer)
        {
            answer.Remove("id");
            answer.Remove("created");
        }

        return copy.ToJsonString();
    }

    private async Task<IReadOnlyList<JsonNode>> RunAsync(string[] lines, Action<int, int, string>? report = null)
    {
        var input = _folder.Write("in.jsonl", string.Join('\n', lines));
        await new BatchRun(_api, maxConcurrency: 3, MaxLineBytes).RunAsync(
            input, Output, report ?? ((_, _, _) => { }), TestContext.Current.CancellationToken);
        return [.. File.ReadLines(Output).Select(line => JsonNode.Parse(line)!)];
    }
}
