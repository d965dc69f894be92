using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Cluster.Operator.Kubernetes;

/// <summary>Sends one API call until it is answered for good. Called by <see cref="KubernetesClient"/>; knows HTTP, not verbs.</summary>
/// <remarks>The steps of a call: (1) get a credential; (2) send, with a time limit; (3) 401: drop the credential and try once more with a
/// new one; (4) 429 or 503 with Retry-After: wait as told and try again, a few times; (5) any other error becomes a
/// <see cref="KubernetesException"/>.</remarks>
/// <param name="observe">Told of every attempt, retried ones included; null tells nobody.</param>
internal sealed class KubernetesTransport(ClientConfiguration configuration, TimeProvider time, Action<ApiAttempt>? observe = null)
    : IDisposable
{
    private const int MaxRetries = 5;
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly string _root = configuration.Server.AbsoluteUri.TrimEnd('/');
    private HttpMessageInvoker? _connection;
    private ClientCertificate? _certificate;

    /// <summary>The server's address, for messages.</summary>
    public string Server => _root;

    /// <param name="read">Turns a success into the result; owns the response. Its token obeys the time limit of the attempt.</param>
    /// <exception cref="KubernetesException">An error status, or no answer at all (status 0).</exception>
    public async Task<T> SendAsync<T>(
        ApiRequest request, Func<HttpResponseMessage, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        var reauthenticated = false;
        for (var retries = 0; ; retries++)
        {
            var credential = await configuration.Credentials.GetAsync(cancellationToken);
            (var result, var error, var retryAfter) = await ObservedAsync(request, credential, read, cancellationToken);
            if (error is null)
            {
                return result!;
            }

            if (error.StatusCode == (int)HttpStatusCode.Unauthorized && !reauthenticated && configuration.Credentials.Reject(credential))
            {
                reauthenticated = true;
                continue;
            }

            if (retryAfter is not { } delay || delay > MaxRetryAfter || retries >= MaxRetries)
            {
                throw error;
            }

            await Task.Delay(delay, time, cancellationToken);
        }
    }

    /// <summary>What a broken connection looks like to callers: status 0 and a message that names the server.</summary>
    public KubernetesException Unreachable(Exception error)
        => new(0, "Unreachable", $"no connection to the API server {_root}: {error.GetBaseException().Message}", error);

    /// <summary>True for every way in which a network can fail.</summary>
    public static bool IsNetworkFailure(Exception error) => error is HttpRequestException or IOException or InvalidDataException;

    public void Dispose() => _connection?.Dispose();

    private async Task<(T? Result, KubernetesException? Error, TimeSpan? RetryAfter)> ObservedAsync<T>(
        ApiRequest request, Credential credential, Func<HttpResponseMessage, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var statusCode = 0;
        try
        {
            var outcome = await AttemptAsync(request, credential, read, cancellationToken);
            statusCode = outcome.Error?.StatusCode ?? (int)HttpStatusCode.OK;
            return outcome;
        }
        finally
        {
            observe?.Invoke(
                new ApiAttempt(request.Method.Method, configuration.Server.Authority, statusCode, time.GetElapsedTime(started)));
        }
    }

    private async Task<(T? Result, KubernetesException? Error, TimeSpan? RetryAfter)> AttemptAsync<T>(
        ApiRequest request, Credential credential, Func<HttpResponseMessage, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = new(AttemptTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            using var message = MakeMessage(request, credential);
            var response = await ConnectionFor(credential).SendAsync(message, either.Token);
            var isSuccess = request.WebSocketProtocol is null
                ? response.IsSuccessStatusCode
                : response.StatusCode == HttpStatusCode.SwitchingProtocols;
            if (isSuccess)
            {
                return (await read(response, either.Token), null, null);
            }

            using (response)
            {
                var error = await ErrorStatus.FromResponseAsync(response, $"{request.Method} {_root}/{request.Path}", either.Token);
                return (default, error, RetryAfter(response));
            }
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested && !deadline.IsCancellationRequested)
        {
            // This is how the handler reports that connecting took too long.
            throw Unreachable(error);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KubernetesException(
                0, "Timeout", $"{request.Method} {_root}/{request.Path}: no complete answer within {AttemptTimeout.TotalSeconds:0} s",
                error);
        }
        catch (Exception error) when (IsNetworkFailure(error))
        {
            throw Unreachable(error);
        }
        catch (JsonException error)
        {
            throw new KubernetesException(
                0, "UnreadableAnswer",
                $"{request.Method} {_root}/{request.Path}: the answer does not fit the expected type: {error.Message}", error);
        }
    }

    private HttpRequestMessage MakeMessage(ApiRequest request, Credential credential)
    {
        var tls = configuration.Server.Scheme == Uri.UriSchemeHttps;
        HttpRequestMessage message = new(request.Method, $"{_root}/{request.PathAndQuery}")
        {
            // Without TLS there is no negotiation, and API servers behind plain HTTP (kubectl proxy) speak 1.1. Only that can be upgraded.
            Version = tls && request.WebSocketProtocol is null ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        message.Headers.UserAgent.ParseAdd(Connections.UserAgent);
        message.Headers.Accept.ParseAdd(request.Accept);
        message.Headers.Authorization = credential.Authorization;

        // The handler takes SNI and the name to verify from the Host header.
        message.Headers.Host = tls ? configuration.TlsServerName : null;
        foreach ((var name, var value) in configuration.Impersonation)
        {
            message.Headers.Add(name, value);
        }

        if (request.WebSocketProtocol is { } protocol)
        {
            WebSocketUpgrade.Ask(message, protocol);
        }

        if (request.Body is not null)
        {
            message.Content = new ByteArrayContent(request.Body);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(request.ContentType);
        }

        return message;
    }

    /// <summary>A renewed client certificate needs new connections. The old ones are left to running watches and close themselves when
    /// idle.</summary>
    private HttpMessageInvoker ConnectionFor(Credential credential)
    {
        lock (_lock)
        {
            if (_connection is null || !ReferenceEquals(_certificate, credential.Certificate))
            {
                _certificate = credential.Certificate;
                _connection = Connections.Open(configuration, credential.Certificate);
            }

            return _connection;
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
            || response.Headers.RetryAfter is not { } header)
        {
            return null;
        }

        // A date is of the server's clock, which need not agree with ours; its answer says what that shows now.
        var delay = header.Delta ?? header.Date!.Value - (response.Headers.Date ?? time.GetUtcNow());
        return delay > TimeSpan.Zero ? delay : TimeSpan.Zero;
    }
}
