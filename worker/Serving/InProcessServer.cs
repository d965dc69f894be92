using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Serving;

/// <summary>Stands in Kestrel's place where requests come from this process: the whole HTTP API without a socket. Given to
/// <see cref="WorkerServer"/> by those who work through files.</summary>
internal sealed class InProcessServer : IServer
{
    private const string Json = "application/json";

    private Func<IFeatureCollection, Task>? _process;

    public IFeatureCollection Features { get; } = new FeatureCollection();

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        _process = async features =>
        {
            var context = application.CreateContext(features);
            Exception? failure = null;
            try
            {
                await application.ProcessRequestAsync(context);
            }
            catch (Exception exception)
            {
                failure = exception;
                throw;
            }
            finally
            {
                application.DisposeContext(context, failure);
            }
        };
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Sends a request with a JSON body and waits for the whole answer.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; there is no answer.</exception>
    public async Task<InProcessAnswer> PostAsync(string path, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var process = _process ?? throw new InvalidOperationException("the server has not been started");
        using var answer = new MemoryStream();
        using var content = new MemoryStream(body.ToArray(), writable: false);
        var request = new HttpRequestFeature
        {
            Method = HttpMethods.Post,
            Scheme = Uri.UriSchemeHttp,
            Protocol = HttpProtocol.Http11,
            Path = path,
            Body = content,
        };
        request.Headers.ContentType = Json;
        request.Headers.ContentLength = body.Length;
        request.Headers.Host = "localhost";
        var response = new HttpResponseFeature();
        var responseBody = new StreamResponseBodyFeature(answer);
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(request);
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(responseBody);
        features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = cancellationToken });
        await process(features);
        await responseBody.CompleteAsync();
        cancellationToken.ThrowIfCancellationRequested();
        var isJson = response.Headers.ContentType.ToString().StartsWith(Json, StringComparison.OrdinalIgnoreCase);
        return new InProcessAnswer(response.StatusCode, isJson, answer.ToArray());
    }

    public void Dispose()
    {
    }
}

/// <summary>The answer to a request of <see cref="InProcessServer"/>.</summary>
/// <param name="IsJson">Whether the body says it is JSON.</param>
internal sealed record InProcessAnswer(int Status, bool IsJson, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
}
