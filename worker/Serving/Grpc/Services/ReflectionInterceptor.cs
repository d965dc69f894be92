using Cluster.Worker.Protos.V1;
using Cluster.Worker.Protos.Vllm;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary>Adds to the library's reflection services, <c>v1</c> and <c>v1alpha</c>, what they leave out of the protocol: the request and
/// its host in each response, and symbols that are members (fields, oneofs, enum values), which they do not index.</summary>
/// <remarks>Questions about extensions get UNIMPLEMENTED, as the library has it: proto3 has no extensions.</remarks>
internal sealed class ReflectionInterceptor : Interceptor
{
    /// <summary>Full name of a member → full name of the type whose file has it.</summary>
    private readonly Dictionary<string, string> _owners =
        ((FileDescriptor[])[TextGenerationReflection.Descriptor, VllmEngineReflection.Descriptor, HealthReflection.Descriptor])
        .SelectMany(file => file.EnumTypes.SelectMany(Members).Concat(file.MessageTypes.SelectMany(Members)))
        .ToDictionary();

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var requests = new Requests<TRequest>(requestStream, _owners);
        return continuation(requests, new Responses<TResponse>(responseStream, () => requests.Original), context);
    }

    private static IEnumerable<KeyValuePair<string, string>> Members(MessageDescriptor type) =>
    [
        .. type.Fields.InDeclarationOrder().Cast<IDescriptor>().Concat(type.Oneofs)
            .Select(member => KeyValuePair.Create(member.FullName, type.FullName)),
        .. type.NestedTypes.SelectMany(Members),
        .. type.EnumTypes.SelectMany(Members),
    ];

    /// <summary>Protobuf scopes values beside their enum, not inside it.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Members(EnumDescriptor type) =>
        type.Values.Select(value => KeyValuePair.Create(type.FullName[..^type.Name.Length] + value.Name, type.FullName));

    /// <summary>Asks for a type's file where its client asks for a member's.</summary>
    private sealed class Requests<T>(IAsyncStreamReader<T> inner, Dictionary<string, string> owners) : IAsyncStreamReader<T>
    {
        private const string SymbolField = "file_containing_symbol";

        public IMessage Original => (IMessage)inner.Current!;

        public T Current
        {
            get
            {
                var symbol = Original.Descriptor.FindFieldByName(SymbolField).Accessor;
                if (!symbol.HasValue(Original) || !owners.TryGetValue((string)symbol.GetValue(Original), out var owner))
                {
                    return inner.Current;
                }

                var request = Original.Descriptor.Parser.ParseFrom(Original.ToByteString());
                symbol.SetValue(request, owner);
                return (T)request;
            }
        }

        public Task<bool> MoveNext(CancellationToken cancellationToken) => inner.MoveNext(cancellationToken);
    }

    private sealed class Responses<T>(IServerStreamWriter<T> inner, Func<IMessage> request) : IServerStreamWriter<T>
    {
        public WriteOptions? WriteOptions
        {
            get => inner.WriteOptions;
            set => inner.WriteOptions = value;
        }

        public Task WriteAsync(T message)
        {
            var response = (IMessage)message!;
            var original = request();
            Set("original_request", original);
            Set("valid_host", original.Descriptor.FindFieldByName("host").Accessor.GetValue(original));
            return inner.WriteAsync(message);

            void Set(string field, object value) => response.Descriptor.FindFieldByName(field).Accessor.SetValue(response, value);
        }
    }
}
