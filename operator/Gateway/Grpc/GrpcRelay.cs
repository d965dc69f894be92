using System.Buffers;
using System.Globalization;
using System.Net;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Relay;
using Cluster.Operator.Gateway.Routing;
using Google.Protobuf;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>Generation over gRPC: <c>cluster.v1</c>'s Generate and GenerateStream and vLLM's Generate. Messages pass as they are; each is
/// an event, and its token ids are what a continuation needs.</summary>
internal sealed class GrpcRelay(GatewayServices services)
{
    private static readonly string[] PassedOn = ["traceparent", "tracestate", "x-request-id", "user-agent"];

    public async Task HandleAsync(HttpContext context)
    {
        var method = context.Request.Path.Value!;
        var key = services.Gate.Admit(context.Request.Headers);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var message = GrpcFrame.Only(body.Bytes, context.Request.Headers["grpc-encoding"], services.Options.MaxRequestBytes);
        var facts = GrpcMethods.Read(method, message);
        var model = services.RequireModelName(facts.Model ?? context.Request.Headers["x-model"].FirstOrDefault(), key);
        key.RequireBudget(facts.PromptTokens);
        var request = services.NewRequest(model, key, facts, message);
        var deadline = GrpcDeadline.Of(context.Request.Headers["grpc-timeout"], services.Options.Time);
        context.Response.ContentType = "application/grpc";
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, services.Ending);
        try
        {
            await Attempts.RunAsync(services, request, lease => AttemptAsync(context, request, lease, deadline, ends.Token), ends.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw GatewayServices.Stopping();
        }
        catch (AttemptFailedException failed)
        {
            throw GatewayException.Unavailable($"no replica could answer; the last one failed: {failed.Reason.Text}");
        }
    }

    private async Task AttemptAsync(
        HttpContext context, RelayedRequest request, ReplicaLease lease, GrpcDeadline deadline, CancellationToken cancellationToken)
    {
        using var watch = new SilenceWatch(
            services.Health, lease.Replica, services.Options.Time, services.Options.IdleTimeout, cancellationToken);
        await UpstreamGuard.RunAsync(watch, async () =>
        {
            using var response = await SendAsync(context, request, lease, deadline, watch);
            if (response.StatusCode != HttpStatusCode.OK
                || response.Content.Headers.ContentType?.MediaType?.StartsWith("application/grpc", StringComparison.Ordinal) != true)
            {
                throw new GarbledReplyException($"it answered a call with the status {(int)response.StatusCode}");
            }

            var held = await RelayAsync(context, request, lease, response, watch);
            await EndAsync(context, response, held);
        });
    }

    /// <returns>The answer of a unary call, which is held until its status is known.</returns>
    private async Task<byte[]?> RelayAsync(
        HttpContext context, RelayedRequest request, ReplicaLease lease, HttpResponseMessage response, SilenceWatch watch)
    {
        var method = context.Request.Path.Value!;
        var isUnary = method == GrpcMethods.Generate;
        byte[]? held = null;
        var stream = await response.Content.ReadAsStreamAsync(watch.Token);
        var reader = new GrpcFrameReader();
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
            var delivers = false;
            while (reader.TryRead(out var frame))
            {
                if (isUnary)
                {
                    held = frame.ToArray();
                    continue;
                }

                Take(request, lease, method, frame.Span[GrpcFrame.HeaderBytes..].ToArray());
                context.Response.BodyWriter.Write(frame.Span);
                delivers = true;
            }

            if (delivers)
            {
                await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
                request.Trace.Tokens(request.Progress.Tokens - tokens);
            }
        }

        return reader.IsTorn ? throw new GarbledReplyException("its stream ended in the middle of a message") : held;
    }

    private static void Take(RelayedRequest request, ReplicaLease lease, string method, byte[] message)
    {
        try
        {
            var (tokens, cached) = GrpcMethods.ReadAnswer(method, message);
            if (request.Progress.Tokens == 0 && tokens.Count > 0)
            {
                lease.PromptDone();
            }

            request.Progress.Add(0, tokens, cached);
            request.Trace.CachedTokens = request.Progress.CachedTokens;
            lease.Progress(tokens.Count);
        }
        catch (InvalidProtocolBufferException wrong)
        {
            throw new GarbledReplyException($"a message cannot be read: {wrong.Message}");
        }
    }

    private static async Task EndAsync(HttpContext context, HttpResponseMessage response, byte[]? held)
    {
        var status = Trailer(response, "grpc-status")
            ?? throw new GarbledReplyException("its answer ended without a status");
        var message = Trailer(response, "grpc-message") ?? "";
        if (!int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
        {
            throw new GarbledReplyException($"it ended with the status '{status}'");
        }

        switch (code)
        {
            case GrpcErrors.Unavailable:
                throw new AttemptFailedException(FailureReason.Unavailable(Uri.UnescapeDataString(message)));
            case GrpcErrors.PermissionDenied or GrpcErrors.Unauthenticated:
                throw new AttemptFailedException(FailureReason.Error($"it refuses the gateway's key: {Uri.UnescapeDataString(message)}"));
            case GrpcErrors.Internal:
                throw new AttemptFailedException(FailureReason.Error(Uri.UnescapeDataString(message)));
        }

        if (held is not null)
        {
            await context.Response.BodyWriter.WriteAsync(held, context.RequestAborted);
        }

        GrpcErrors.End(context, code, Uri.UnescapeDataString(message));
    }

    /// <summary>In the headers, where an answer has no messages.</summary>
    private static string? Trailer(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out var trailing) ? trailing.FirstOrDefault()
        : response.Headers.TryGetValues(name, out var leading) ? leading.FirstOrDefault()
        : null;

    private async Task<HttpResponseMessage> SendAsync(
        HttpContext context, RelayedRequest request, ReplicaLease lease, GrpcDeadline deadline, SilenceWatch watch)
    {
        var envelope = request.Envelope.Write(request.Progress, []);
        var message = ProtoFields.Append(request.Body.ToArray(), GrpcMethods.EnvelopeField, envelope);
        using var call = new HttpRequestMessage(HttpMethod.Post, new Uri(lease.Replica.Grpc, context.Request.Path.Value))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(GrpcFrame.Write(message)),
        };
        call.Content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue("application/grpc");
        call.Headers.TryAddWithoutValidation("te", "trailers");
        call.Headers.TryAddWithoutValidation("grpc-accept-encoding", "identity");
        call.Headers.TryAddWithoutValidation(GatewayKey.Header, lease.Deployment.Key);
        if (deadline.Left() is { } left)
        {
            call.Headers.TryAddWithoutValidation("grpc-timeout", left);
        }

        foreach (var name in PassedOn)
        {
            if (context.Request.Headers.TryGetValue(name, out var value))
            {
                call.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
            }
        }

        watch.Waiting();
        var response = await services.Connections.Grpc.SendAsync(call, watch.Token);
        watch.Heard();
        return response;
    }
}
