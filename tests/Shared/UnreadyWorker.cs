using System.Net;
using System.Text;

namespace Cluster.Tests.Shared;

/// <summary>Something that says why it is not ready, at an address of this machine that nobody else uses: whoever asks workers knows the
/// port, so that it cannot be any.</summary>
internal sealed class UnreadyWorker : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly byte[] _answer;
    private readonly Task _answering;

    /// <param name="answer">The body of every answer, which has status 503.</param>
    public UnreadyWorker(string answer, int port)
    {
        _answer = Encoding.UTF8.GetBytes(answer);
        Address = $"127.{Random.Shared.Next(64, 250)}.{Random.Shared.Next(1, 250)}.{Random.Shared.Next(2, 250)}";
        _listener.Prefixes.Add($"http://{Address}:{port}/");
        _listener.Start();
        _answering = AnswerAsync();
    }

    public string Address { get; }

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _answering;
    }

    private async Task AnswerAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                context.Response.StatusCode = 503;
                context.Response.ContentType = "application/json";
                await context.Response.OutputStream.WriteAsync(_answer);
                context.Response.Close();
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                // Whoever asked has gone, or the test is over.
            }
        }
    }
}
