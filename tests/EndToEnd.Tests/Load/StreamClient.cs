using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>Streams a reply over one of the worker's APIs. Leaving the enumeration, or cancelling it, cancels the call as the protocol has
/// it: over HTTP/1.1 by closing the connection, over gRPC by a stream reset.</summary>
internal static class StreamClient
{
    public static IAsyncEnumerable<ReplyPart> StreamAsync(
        WorkerProcess worker, Api api, LoopbackConnection connection, LoadRequest request, CancellationToken cancellationToken) =>
        api == Api.Http
            ? OverHttpAsync(worker.Http, connection, request, cancellationToken)
            : OverGrpcAsync(worker.Grpc, connection, request, cancellationToken);

    private static async IAsyncEnumerable<ReplyPart> OverHttpAsync(
        Uri address, LoopbackConnection connection, LoadRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var http = new HttpClient(connection.Handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        using var message = new HttpRequestMessage(
            HttpMethod.Post, new Uri(address, "/v1/completions"))
        { Content = JsonContent.Create(request.ToHttp()) };
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
            {
                yield break;
            }

            using var document = JsonDocument.Parse(item.Data);
            var choice = document.RootElement.GetProperty("choices")[0];
            var logprobs = choice.GetProperty("logprobs");
            yield return new ReplyPart(
                choice.GetProperty("text").GetString()!,
                logprobs.ValueKind == JsonValueKind.Null
                    ? []
                    : [.. logprobs.GetProperty("token_logprobs").EnumerateArray().Select(value => value.GetSingle())],
                choice.GetProperty("finish_reason").GetString());
        }

        throw new EndOfStreamException("the stream ended without [DONE]");
    }

    private static async IAsyncEnumerable<ReplyPart> OverGrpcAsync(
        Uri address, LoopbackConnection connection, LoadRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var channel = GrpcClients.Open(address, connection.Handler);
        using var call = new TextGeneration.TextGenerationClient(channel)
            .GenerateStream(request.ToGrpc(), cancellationToken: cancellationToken);
        await foreach (var part in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            yield return new ReplyPart(
                part.Text,
                [.. part.Logprobs.Select(position => position.Sampled.Logprob)],
                part.FinishReason == FinishReason.Unspecified ? null : part.FinishReason.ToString().ToLowerInvariant());
        }

        Assert.Equal(new Status(StatusCode.OK, ""), call.GetStatus());
    }
}

/// <summary>Which of the worker's ports.</summary>
internal enum Api
{
    Http,
    Grpc,
}
