using Grpc.Core;
using Grpc.Net.Client;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>The library's own client, as .NET users call a worker with it.</summary>
internal static class GrpcClients
{
    /// <param name="handler">Whose connection to use; null for one of its own.</param>
    public static GrpcChannel Open(Uri address, SocketsHttpHandler? handler = null) =>
        GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = handler, MaxReceiveMessageSize = null });

    /// <summary>All responses of a successful call.</summary>
    public static async Task<List<T>> ToListAsync<T>(this AsyncServerStreamingCall<T> call)
    {
        using (call)
        {
            var responses = new List<T>();
            await foreach (var response in call.ResponseStream.ReadAllAsync())
            {
                responses.Add(response);
            }

            Assert.Equal(new Status(StatusCode.OK, ""), call.GetStatus());
            return responses;
        }
    }

    /// <summary>The status of a call that gives no response.</summary>
    public static async Task<(StatusCode Status, string Message)> FailAsync<T>(this AsyncUnaryCall<T> call)
    {
        using (call)
        {
            return Told(await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync));
        }
    }

    /// <inheritdoc cref="FailAsync{T}(AsyncUnaryCall{T})"/>
    public static async Task<(StatusCode Status, string Message)> FailAsync<T>(this AsyncServerStreamingCall<T> call)
    {
        using (call)
        {
            return await FailNextAsync(call.ResponseStream);
        }
    }

    /// <summary>The status of a stream that fails after some responses.</summary>
    public static async Task<(StatusCode Status, string Message)> FailAtEndAsync<T>(this AsyncServerStreamingCall<T> call) =>
        Told(await Assert.ThrowsAsync<RpcException>(async () =>
    {
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
        }
    }));

    /// <summary>The status of a stream that ends with it instead of a further response.</summary>
    public static async Task<(StatusCode Status, string Message)> FailNextAsync<T>(this IAsyncStreamReader<T> responses) =>
        Told(await Assert.ThrowsAsync<RpcException>(() => responses.MoveNext(CancellationToken.None)));

    private static (StatusCode Status, string Message) Told(RpcException exception) => (exception.StatusCode, exception.Status.Detail);
}
