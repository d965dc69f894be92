using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>Around every handler: turns what it throws into a status, keeps small responses unpacked, and ends streams of requests when the
/// server stops.</summary>
internal sealed class CallInterceptor(IHostApplicationLifetime lifetime, ILogger<CallInterceptor> logger) : Interceptor
{
    /// <summary>Response messages below this go out unpacked even to clients that want gzip: a token or two does not get smaller.</summary>
    private const int MinCompressedBytes = 512;

    private static readonly WriteOptions Plain = new(WriteFlags.NoCompress);

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            var response = await continuation(request, context);
            context.WriteOptions = OptionsFor(response);
            return response;
        }
        catch (Exception exception)
        {
            throw new RpcException(ToStatus(exception, context));
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, new Responses<TResponse>(responseStream), context);
        }
        catch (Exception exception)
        {
            throw new RpcException(ToStatus(exception, context));
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await continuation(new Requests<TRequest>(requestStream, ending.Token), new Responses<TResponse>(responseStream), context);
        }
        catch (Exception exception)
        {
            throw new RpcException(ToStatus(exception, context));
        }
    }

    private static WriteOptions? OptionsFor(object response) =>
        response is IMessage message && message.CalculateSize() < MinCompressedBytes ? Plain : null;

    private Status ToStatus(Exception exception, ServerCallContext context)
    {
        var deadline = CallDeadline.Of(context.GetHttpContext());
        if (deadline.HasPassed)
        {
            return CallFailures.DeadlinePassed;
        }

        // A client that is gone hears no status, and whatever reading or writing threw then is its doing.
        if (deadline.IsClientGone)
        {
            return new Status(StatusCode.Cancelled, "the client has gone");
        }

        return exception is OperationCanceledException
            ? new Status(StatusCode.Unavailable, "the server ended the call; it is shutting down")
            : CallFailures.StatusOf(exception, context.Method, logger);
    }

    private sealed class Responses<T>(IServerStreamWriter<T> inner) : IServerStreamWriter<T>
    {
        public WriteOptions? WriteOptions
        {
            get => inner.WriteOptions;
            set => inner.WriteOptions = value;
        }

        public Task WriteAsync(T message)
        {
            inner.WriteOptions = OptionsFor(message!);
            return inner.WriteAsync(message);
        }
    }

    /// <summary>A reader that no longer waits once the call or the server ends.</summary>
    private sealed class Requests<T>(IAsyncStreamReader<T> inner, CancellationToken ending) : IAsyncStreamReader<T>
    {
        public T Current => inner.Current;

        public Task<bool> MoveNext(CancellationToken cancellationToken) => inner.MoveNext(ending);
    }
}
