using System.Buffers;
using System.Net;
using System.Text;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Routing;
using Microsoft.Net.Http.Headers;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Generation over HTTP: <c>/v1/chat/completions</c>, <c>/v1/completions</c>, <c>/generate</c>, <c>/generate_stream</c> and TGI's
/// <c>/</c>. A stream survives the loss of its replica byte for byte; an answer in one piece is asked for again.</summary>
internal sealed class HttpRelay(GatewayServices services)
{
    /// <summary>What clients say that workers must know.</summary>
    private static readonly string[] PassedOn =
        [HeaderNames.TraceParent, HeaderNames.TraceState, HeaderNames.RequestId, "X-Request-Id", "X-Request-Timeout"];

    /// <summary>What workers say that clients must know.</summary>
    private static readonly string[] PassedBack = ["X-Request-Id", HeaderNames.CacheControl, "X-Accel-Buffering", HeaderNames.Warning];

    private const string ReplicaHeader = "x-cluster-replica";
    private const int MostAnswerBytes = 256 << 20;

    public async Task HandleAsync(HttpContext context)
    {
        var key = services.Gate.Admit(context.Request.Headers);
        RequireJson(context.Request);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var facts = RequestFacts.Read(context.Request.Path, body.Bytes);
        var model = services.RequireModelName(facts.Model ?? context.Request.Headers["X-Model"].FirstOrDefault(), key);
        key.RequireBudget(facts.PromptTokens);
        var request = services.NewRequest(model, key, facts, body.Bytes);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, services.Ending);
        try
        {
            await Attempts.RunAsync(
                services, request,
                lease => facts.Stream
                    ? StreamAsync(context, request, lease, ends.Token)
                    : AnswerAsync(context, request, lease, ends.Token),
                ends.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            await ClientAnswer.GiveUpAsync(context, null, GatewayServices.Stopping());
        }
        catch (AttemptFailedException failed)
        {
            await ClientAnswer.GiveUpAsync(context, failed.Answer, GatewayErrorOf(failed.Reason));
        }
        catch (GatewayException none) when (context.Response.HasStarted)
        {
            await ClientAnswer.GiveUpAsync(context, null, none);
        }
    }

    private static void RequireJson(HttpRequest request)
    {
        // A page of another site may post a form or plain text without asking, but not JSON.
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new GatewayException(
                StatusCodes.Status415UnsupportedMediaType,
                $"the content type is '{request.ContentType}'; it must be application/json", "invalid_request_error",
                code: "unsupported_media_type");
        }
    }

    private static GatewayException GatewayErrorOf(FailureReason reason) => new(
        StatusCodes.Status502BadGateway, $"no replica could answer; the last one failed: {reason.Text}", "server_error",
        code: "replica_failed");

    private async Task StreamAsync(HttpContext context, RelayedRequest request, ReplicaLease lease, CancellationToken cancellationToken)
    {
        using var watch = NewWatch(lease, cancellationToken);
        await UpstreamGuard.RunAsync(watch, async () =>
        {
            using var response = await SendAsync(context, request, lease, watch);
            var type = response.Content.Headers.ContentType?.MediaType;
            if (response.StatusCode != HttpStatusCode.OK)
            {
                await PassOnAsync(context, await ReadAsync(response, watch));
                return;
            }

            if (type == "application/json" && !context.Response.HasStarted)
            {
                // Not every path streams because the body says so.
                await PassOnAsync(context, await ReadAsync(response, watch));
                return;
            }

            var lines = type == "application/x-ndjson";
            if (!lines && type != "text/event-stream")
            {
                throw new GarbledReplyException($"it answered a stream with the content type '{type}'");
            }

            if (!context.Response.HasStarted)
            {
                Start(context, response, lease);
            }

            await RelayAsync(context, request, lease, response, watch, lines);
        });
    }

    /// <summary>Events go to the client as soon as they are whole; all that came together go in one write.</summary>
    private async Task RelayAsync(
        HttpContext context, RelayedRequest request, ReplicaLease lease, HttpResponseMessage response, SilenceWatch watch, bool lines)
    {
        var stream = await response.Content.ReadAsStreamAsync(watch.Token);
        var reader = new EventReader(lines);
        var writer = context.Response.BodyWriter;
        var isDone = false;
        while (true)
        {
            watch.Waiting();
            var read = await UpstreamLostException.ReadAsync(stream, reader.Room(), watch.Token);
            watch.Heard();
            if (read == 0)
            {
                break;
            }

            reader.Added(read);
            var tokens = request.Progress.Tokens;
            GarbledReplyException? wrong = null;
            UpstreamAnswer? failure = null;
            var delivers = false;
            try
            {
                while (failure is null && reader.TryRead(out var next))
                {
                    failure = Take(request, lease, next, context);
                    delivers |= failure is null;
                    isDone |= next.Kind == EventKind.Done;
                }
            }
            catch (GarbledReplyException garbled)
            {
                wrong = garbled; // What came before it was right, and counts as delivered.
            }

            if (delivers)
            {
                await writer.FlushAsync(context.RequestAborted);
                request.Trace.Tokens(request.Progress.Tokens - tokens);
            }

            if (wrong is not null)
            {
                throw wrong;
            }

            if (failure is not null)
            {
                throw new AttemptFailedException(FailureReason.Error(Shorten(failure.Body)), failure);
            }
        }

        if (reader.IsTorn || (!isDone && !lines && ClientAnswer.EndsWithDone(context)))
        {
            throw new GarbledReplyException("its stream ended in the middle");
        }
    }

    /// <returns>What the worker said, when it cannot go on and another one may; the client does not see that.</returns>
    private static UpstreamAnswer? Take(RelayedRequest request, ReplicaLease lease, in MarkedEvent next, HttpContext context)
    {
        var bytes = next.Bytes.Span;
        if (next.Kind == EventKind.Error)
        {
            if (IsServerError(bytes))
            {
                return new UpstreamAnswer(StatusCodes.Status500InternalServerError, "application/json", UsageNumbers.JsonOf(bytes), null);
            }
        }
        else if (next.Mark is null)
        {
            throw new GarbledReplyException("an event has no mark");
        }

        if (next.Mark is { } mark)
        {
            var before = request.Progress.Tokens;
            if (before == 0 && mark.Tokens.Length > 0)
            {
                lease.PromptDone();
            }

            request.Progress.Add(mark);
            lease.Progress(request.Progress.Tokens - before);
            request.Trace.CachedTokens ??= request.Progress.CachedTokens;
            if (mark.Choice is null && next.Kind == EventKind.Part)
            {
                UsageNumbers.Read(request.Trace, bytes);
            }
        }

        context.Response.BodyWriter.Write(bytes);
        return null;
    }

    /// <summary>A request's own fault fails everywhere; a worker's does not.</summary>
    private static bool IsServerError(ReadOnlySpan<byte> error) =>
        error.IndexOf("\"server_error\""u8) >= 0 || error.IndexOf("\"error_type\":\"generation\""u8) >= 0
        || error.IndexOf("\"error_type\":\"overloaded\""u8) >= 0;

    private async Task AnswerAsync(HttpContext context, RelayedRequest request, ReplicaLease lease, CancellationToken cancellationToken)
    {
        using var watch = NewWatch(lease, cancellationToken);
        await UpstreamGuard.RunAsync(watch, async () =>
        {
            using var response = await SendAsync(context, request, lease, watch);
            var answer = await ReadAsync(response, watch);
            if (answer.Status == StatusCodes.Status200OK)
            {
                if (response.Content.Headers.ContentType?.MediaType != "application/json" || !UsageNumbers.Read(request.Trace, answer.Body))
                {
                    throw new GarbledReplyException("its answer is no JSON object");
                }

                CopyHeaders(context, response, lease);
            }

            await PassOnAsync(context, answer);
        });
    }

    private SilenceWatch NewWatch(ReplicaLease lease, CancellationToken cancellationToken) => new(
        services.Health, lease.Replica, services.Options.Time, services.Options.IdleTimeout, cancellationToken);

    private async Task<HttpResponseMessage> SendAsync(
        HttpContext context, RelayedRequest request, ReplicaLease lease, SilenceWatch watch)
    {
        var address = new Uri(lease.Replica.Http, context.Request.Path.ToUriComponent() + context.Request.QueryString.ToUriComponent());
        using var message = new HttpRequestMessage(HttpMethod.Post, address);
        message.Content = new ByteArrayContent(request.Envelope.Write(request.Progress, request.Body.Span));
        message.Content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue(RequestEnvelope.MediaType);
        message.Headers.TryAddWithoutValidation(GatewayKey.Header, lease.Deployment.Key);
        foreach (var name in PassedOn)
        {
            if (context.Request.Headers.TryGetValue(name, out var value))
            {
                message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
            }
        }

        watch.Waiting();
        var response = await services.Connections.Http.SendAsync(message, watch.Token);
        watch.Heard();
        return response;
    }

    private static async Task<UpstreamAnswer> ReadAsync(HttpResponseMessage response, SilenceWatch watch)
    {
        watch.Waiting();
        await response.Content.LoadIntoBufferAsync(MostAnswerBytes, watch.Token);
        watch.Heard();
        return new UpstreamAnswer(
            (int)response.StatusCode, response.Content.Headers.ContentType?.ToString(),
            await response.Content.ReadAsByteArrayAsync(watch.Token), response.Headers.RetryAfter?.ToString());
    }

    /// <summary>An answer in one piece goes to the client, unless another replica may have a better one.</summary>
    private static Task PassOnAsync(HttpContext context, UpstreamAnswer answer)
    {
        switch (answer.Status)
        {
            case StatusCodes.Status503ServiceUnavailable:
                throw new AttemptFailedException(FailureReason.Unavailable(Shorten(answer.Body)), answer);
            case StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden:
                // The client's key is good; the worker does not know ours.
                throw new AttemptFailedException(FailureReason.Error($"it refuses the gateway's key: {Shorten(answer.Body)}"));
            case StatusCodes.Status429TooManyRequests or StatusCodes.Status500InternalServerError or StatusCodes.Status502BadGateway:
                throw new AttemptFailedException(FailureReason.Error($"status {answer.Status}: {Shorten(answer.Body)}"), answer);
            case StatusCodes.Status200OK or (>= 400 and < 500):
            case StatusCodes.Status501NotImplemented or StatusCodes.Status504GatewayTimeout:
                return context.Response.HasStarted
                    ? throw new GarbledReplyException($"it refused to go on with a stream: {answer.Status} {Shorten(answer.Body)}")
                    : ClientAnswer.WriteAsync(context, answer);
            default:
                throw new GarbledReplyException($"it answered with status {answer.Status}");
        }
    }

    private void Start(HttpContext context, HttpResponseMessage response, ReplicaLease lease)
    {
        context.Response.ContentType = response.Content.Headers.ContentType!.ToString();
        CopyHeaders(context, response, lease);
    }

    private void CopyHeaders(HttpContext context, HttpResponseMessage response, ReplicaLease lease)
    {
        foreach (var name in PassedBack)
        {
            if (response.Headers.TryGetValues(name, out var values))
            {
                context.Response.Headers[name] = values.ToArray();
            }
        }

        if (services.Options.IsLocal)
        {
            context.Response.Headers[ReplicaHeader] = lease.Replica.Name;
        }
    }

    private static string Shorten(ReadOnlySpan<byte> text) =>
        Encoding.UTF8.GetString(text[..Math.Min(text.Length, 200)]).ReplaceLineEndings(" ");
}
