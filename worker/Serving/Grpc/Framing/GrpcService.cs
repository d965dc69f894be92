using System.Runtime.CompilerServices;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>A protobuf service with a handler for each of its methods. Built at start, served by <see cref="GrpcDispatcher"/>.</summary>
/// <remarks>Names, message types and streaming kinds are checked against the descriptor when a handler is added, so a wiring mistake fails at start.</remarks>
internal sealed class GrpcService(ServiceDescriptor descriptor)
{
    private readonly Dictionary<string, GrpcMethod> methods = [];

    public ServiceDescriptor Descriptor { get; } = descriptor;

    /// <summary>Every method of the service.</summary>
    /// <exception cref="InvalidOperationException">A method has no handler.</exception>
    public IReadOnlyCollection<GrpcMethod> Methods =>
        Descriptor.Methods.FirstOrDefault(method => !methods.ContainsKey(method.Name)) is { } missing
            ? throw new InvalidOperationException($"gRPC method '{missing.FullName}' has no handler")
            : methods.Values;

    /// <summary>One request, one response.</summary>
    public GrpcService Unary<TRequest, TResponse>(string name, Func<TRequest, ServerCall, Task<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var parser = Bind<TRequest, TResponse>(name, clientStreams: false, serverStreams: false, out var method);
        return Add(method, async call =>
        {
            var request = await call.Requests.ReadSingleAsync(parser, call.CancellationToken);
            await call.WriteAsync(await handler(request, call));
        });
    }

    /// <summary>One request, a stream of responses, each sent as it is yielded. A slow client slows the enumeration down.</summary>
    public GrpcService ServerStreaming<TRequest, TResponse>(string name, Func<TRequest, ServerCall, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var parser = Bind<TRequest, TResponse>(name, clientStreams: false, serverStreams: true, out var method);
        return Add(method, async call =>
        {
            var request = await call.Requests.ReadSingleAsync(parser, call.CancellationToken);
            await foreach (var response in handler(request, call).WithCancellation(call.CancellationToken))
            {
                await call.WriteAndFlushAsync(response);
            }
        });
    }

    /// <summary>A stream of requests and a stream of responses, independent of each other.</summary>
    public GrpcService Duplex<TRequest, TResponse>(string name, Func<IAsyncEnumerable<TRequest>, ServerCall, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var parser = Bind<TRequest, TResponse>(name, clientStreams: true, serverStreams: true, out var method);
        return Add(method, async call =>
        {
            var requests = ReadAllAsync(call, parser, call.CancellationToken);
            await foreach (var response in handler(requests, call).WithCancellation(call.CancellationToken))
            {
                await call.WriteAndFlushAsync(response);
            }
        });
    }

    private static async IAsyncEnumerable<T> ReadAllAsync<T>(ServerCall call, MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        while (await call.Requests.ReadAsync(parser, cancellationToken) is { } request)
        {
            yield return request;
        }
    }

    private GrpcService Add(MethodDescriptor method, Func<ServerCall, Task> invoke)
    {
        methods.Add(method.Name, new GrpcMethod(method, invoke));
        return this;
    }

    private MessageParser<TRequest> Bind<TRequest, TResponse>(string name, bool clientStreams, bool serverStreams, out MethodDescriptor method)
        where TRequest : class, IMessage<TRequest>
    {
        method = Descriptor.FindMethodByName(name)
            ?? throw new InvalidOperationException($"gRPC service '{Descriptor.FullName}' has no method '{name}'");
        var fits = method.InputType.ClrType == typeof(TRequest)
            && method.OutputType.ClrType == typeof(TResponse)
            && method.IsClientStreaming == clientStreams
            && method.IsServerStreaming == serverStreams;
        return fits
            ? (MessageParser<TRequest>)method.InputType.Parser
            : throw new InvalidOperationException(
                $"the handler of gRPC method '{method.FullName}' takes {typeof(TRequest).Name} and gives {typeof(TResponse).Name} "
                + $"(client streams: {clientStreams}, server streams: {serverStreams}), which is not what the descriptor says");
    }
}
