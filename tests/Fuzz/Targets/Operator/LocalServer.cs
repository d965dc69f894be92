using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Cluster.Operator.Api;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Fuzz.Targets.Operator;

/// <summary>A local API server with the CRD, a pod, a deployment and a few other objects, which is replaced now and then: what requests
/// leave behind would slow it down.</summary>
internal sealed partial class LocalServer : IDisposable, IPodLogSource
{
    private const int MostRequests = 2000;

    private LocalApiServer? _server;
    private HttpClient? _client;
    private int _requests;

    /// <summary>The address now; after <see cref="MostRequests"/> another.</summary>
    public Uri Address
    {
        get
        {
            if (_server is null || _requests++ >= MostRequests)
            {
                Restart();
            }

            return _server!.BaseAddress;
        }
    }

    /// <exception cref="FuzzFailure">The server failed.</exception>
    public (int Status, string Text) Send(HttpRequestMessage request)
    {
        using (request)
        {
            using var response = _client!.Send(request, HttpCompletionOption.ResponseHeadersRead);
            var isWatch = request.RequestUri!.Query.Contains("watch", StringComparison.Ordinal);
            using StreamReader reader = new(response.Content.ReadAsStream());
            var text = isWatch ? "" : reader.ReadToEnd();
            return (int)response.StatusCode < 500
                ? ((int)response.StatusCode, text)
                : throw new FuzzFailure(
                    $"no request is the server's failure ({InternalError().Match(text)})", $"{(int)response.StatusCode} {text}");
        }
    }

    /// <inheritdoc cref="Send(HttpRequestMessage)"/>
    public (int Status, string Text) Send(string method, string target, string body = "", string contentType = "application/json")
    {
        HttpRequestMessage request = new(new HttpMethod(method), new Uri(Address, target))
        {
            Content = new StringContent(body, Encoding.UTF8),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        return Send(request);
    }

    public Task WriteLogAsync(
        string @namespace, string pod, string container, PodLogOptions options, Stream output, CancellationToken cancellationToken) =>
        output.WriteAsync("a line\n"u8.ToArray(), cancellationToken).AsTask();

    public void Dispose()
    {
        _client?.Dispose();
        _server?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private void Restart()
    {
        Dispose();
        _requests = 0;
        _server = LocalApiServer.StartAsync(new LocalApiServerOptions { PodLogs = this }, CancellationToken.None).GetAwaiter().GetResult();
        _client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = new() { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        })
        {
            Timeout = TimeSpan.FromMinutes(1),
        };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _server.Token);
        Send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CrdDocument.Build().ToJsonString());
        foreach (var (_, (collection, json)) in ApiObjects.All)
        {
            Send("POST", collection, json.Replace("NAME", "there", StringComparison.Ordinal));
        }
    }

    [GeneratedRegex("Internal error occurred: [A-Za-z]+")]
    private static partial Regex InternalError();
}
