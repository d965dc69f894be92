using System.CommandLine;
using Cluster.Worker.Commands;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Serving.Http;

namespace Cluster.Worker.Tests.Serving;

public sealed class CrossOriginTests
{
    private const string Page = "https://chat.example.org";

    [Fact]
    public async Task Without_origins_a_browser_is_told_nothing()
    {
        await using var server = await HttpTestServer.StartAsync();

        using var answer = await AskAsync(server, Page);

        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData(Page, false, Page)]
    [InlineData("*", false, "*")]
    [InlineData("*", true, Page)]
    [InlineData("https://other.example.org", false, null)]
    public async Task A_preflight_is_answered_without_a_key(string allowed, bool credentials, string? expected)
    {
        await using var server = await HttpTestServer.StartAsync(configure: options => options with
        {
            ApiKeys = new ApiKeys(["secret"]),
            CrossOrigin = new CrossOrigin([allowed], ["POST"], ["*"], credentials),
        });

        using var answer = await AskAsync(server, Page);

        Assert.Equal(expected, answer.Headers.TryGetValues("Access-Control-Allow-Origin", out var origins) ? origins.Single() : null);
        Assert.Equal(
            credentials ? "true" : null,
            answer.Headers.TryGetValues("Access-Control-Allow-Credentials", out var sent) ? sent.Single() : null);
        Assert.Equal(expected is not null, answer.Headers.Contains("Access-Control-Allow-Methods"));
    }

    [Fact]
    public async Task Answers_and_errors_can_be_read_by_the_page()
    {
        await using var server = await HttpTestServer.StartAsync(
            configure: options => options with { CrossOrigin = new CrossOrigin([Page], ["*"], ["*"], false) });
        server.Client.DefaultRequestHeaders.Add("Origin", Page);
        using var good = await server.Client.PostAsync("/v1/completions", HttpTestServer.Json("""{"prompt": "x"}"""));
        using var bad = await server.Client.PostAsync("/v1/completions", HttpTestServer.Json("""{"prompt": 5}"""));

        Assert.Equal((200, 400), ((int)good.StatusCode, (int)bad.StatusCode));
        Assert.All([good, bad], answer => Assert.Equal(Page, answer.Headers.GetValues("Access-Control-Allow-Origin").Single()));
    }

    [Theory]
    [InlineData("--allowed-origins [\"https://a.example\",\"http://b.example:3000\"]", "https://a.example http://b.example:3000", "*")]
    [InlineData("--allowed-origins https://a.example --allowed-methods [\"GET\",\"POST\"]", "https://a.example", "GET POST")]
    [InlineData("--allowed-origins *", "*", "*")]
    public void Lists_are_JSON_or_values(string arguments, string origins, string methods)
    {
        var read = Parse(arguments, out var errors)!;

        Assert.Empty(errors);
        Assert.Equal((origins, methods), (string.Join(' ', read.Origins), string.Join(' ', read.Methods)));
    }

    [Theory]
    [InlineData("--allowed-origins [5]", "must be a JSON list")]
    [InlineData("--allowed-origins example.org", "scheme://host")]
    [InlineData("--allowed-origins https://a.example/path", "scheme://host")]
    [InlineData("--allow-credentials", "need --allowed-origins")]
    public void What_is_no_origin_is_refused(string arguments, string says)
    {
        Parse(arguments, out var errors);

        Assert.Contains(says, Assert.Single(errors), StringComparison.Ordinal);
    }

    private static CrossOrigin? Parse(string arguments, out string[] errors)
    {
        var flags = new CrossOriginFlags();
        var command = new Command("serve");
        flags.AddTo(command);
        var parsed = command.Parse(arguments.Split(' '));
        errors = [.. parsed.Errors.Select(error => error.Message)];
        return errors.Length == 0 ? flags.Read(parsed) : null;
    }

    private static async Task<HttpResponseMessage> AskAsync(HttpTestServer server, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/v1/chat/completions");
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "authorization,content-type");
        return await server.Client.SendAsync(request);
    }
}
