using System.Net.Sockets;
using System.Text;
using Cluster.Worker.Tests.Serving.Http;

namespace Cluster.Worker.Tests.Serving;

public class DrainTests
{
    private const string Completions = "/v1/completions";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_reader_slower_than_the_model_has_the_whole_shutdown_timeout()
    {
        var time = new ManualTime();
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine, time: time);
        using var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync("127.0.0.1", server.Server.HttpAddress.Port);
        const string Body = """{"prompt": "hello", "stream": true, "ignore_eos": true, "max_tokens": 500000}""";
        await client.Client.SendAsync(
            Encoding.ASCII.GetBytes(
                $"POST {Completions} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
                + $"{Body.Length}\r\n\r\n{Body}"));
        var buffer = new byte[1];
        Assert.Equal(1, await client.Client.ReceiveAsync(buffer));

        var draining = server.Server.DrainAsync();
        time.Advance(TimeSpan.FromSeconds(9));

        using var reader = new StreamReader(client.GetStream());
        var rest = await reader.ReadToEndAsync().WaitAsync(Limit);
        Assert.Contains("\"finish_reason\":\"abort\"", rest, StringComparison.Ordinal);
        Assert.Contains("data: [DONE]", rest, StringComparison.Ordinal);
        await draining.WaitAsync(Limit);
    }

    [Fact]
    public async Task An_answer_that_shutdown_cut_short_is_an_error_and_no_line_of_the_log()
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var log = new RecordedLog();
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine
            {
                BeforeOutput = (made, stop) =>
                {
                    held.TrySetResult();
                    return Task.Delay(made < 2 ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, stop);
                },
            },
            log: log);

        var answering = server.PostAsync(Completions, """{"prompt": "hello"}""");
        await held.Task;
        await server.Server.DrainAsync();
        var (status, body) = await answering;

        Assert.Equal(503, status);
        Assert.Contains("shut down before the request was finished", (string?)body["error"]!["message"], StringComparison.Ordinal);
        Assert.True(log.Errors.IsEmpty, string.Join("\n", log.Errors));
    }
}
