using System.Runtime.CompilerServices;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using V1 = Cluster.Worker.Protos.Reflection.V1;
using V1Alpha = Cluster.Worker.Protos.Reflection.V1Alpha;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>grpc.reflection.v1.ServerReflection</c> and <c>v1alpha</c>: tells generic clients (grpcurl, gateways) the interface of every service.</summary>
/// <param name="served">The services beside reflection itself.</param>
/// <param name="stopping">Ends open streams when the server stops, which would otherwise wait for them.</param>
internal sealed class ReflectionService(IEnumerable<ServiceDescriptor> served, CancellationToken stopping)
{
    private static readonly ServiceDescriptor Descriptor = V1.ReflectionReflection.Descriptor.FindTypeByName<ServiceDescriptor>("ServerReflection");
    private static readonly ServiceDescriptor AlphaDescriptor = V1Alpha.ReflectionReflection.Descriptor.FindTypeByName<ServiceDescriptor>("ServerReflection");

    private readonly DescriptorIndex index = new([.. served, Descriptor, AlphaDescriptor]);

    public IEnumerable<GrpcService> Bind() =>
    [
        new GrpcService(Descriptor).Duplex<V1.ServerReflectionRequest, V1.ServerReflectionResponse>(
            "ServerReflectionInfo",
            (requests, call) => AnswerAsync(requests, request => request, response => response, call.CancellationToken)),

        // v1alpha differs in the package name only, so its messages are v1's, byte for byte.
        new GrpcService(AlphaDescriptor).Duplex<V1Alpha.ServerReflectionRequest, V1Alpha.ServerReflectionResponse>(
            "ServerReflectionInfo",
            (requests, call) => AnswerAsync(
                requests,
                request => V1.ServerReflectionRequest.Parser.ParseFrom(request.ToByteArray()),
                response => V1Alpha.ServerReflectionResponse.Parser.ParseFrom(response.ToByteArray()),
                call.CancellationToken)),
    ];

    private async IAsyncEnumerable<TResponse> AnswerAsync<TRequest, TResponse>(
        IAsyncEnumerable<TRequest> requests,
        Func<TRequest, V1.ServerReflectionRequest> read,
        Func<V1.ServerReflectionResponse, TResponse> write,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        await foreach (var request in requests.WithCancellation(ending.Token))
        {
            yield return write(Answer(read(request)));
        }
    }

    private V1.ServerReflectionResponse Answer(V1.ServerReflectionRequest request)
    {
        var response = new V1.ServerReflectionResponse { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case V1.ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new V1.ListServiceResponse
                {
                    Service = { index.ServiceNames.Select(name => new V1.ServiceResponse { Name = name }) },
                };
                break;

            case V1.ServerReflectionRequest.MessageRequestOneofCase.FileByFilename:
                AnswerFile(response, index.FindFile(request.FileByFilename), $"file '{request.FileByFilename}'");
                break;

            case V1.ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol:
                AnswerFile(response, index.FindFileOf(request.FileContainingSymbol), $"symbol '{request.FileContainingSymbol}'");
                break;

            // No message of these services has extensions: proto3 has none.
            case V1.ServerReflectionRequest.MessageRequestOneofCase.FileContainingExtension:
                var extension = request.FileContainingExtension;
                AnswerFile(response, null, $"extension {extension.ExtensionNumber} of '{extension.ContainingType}'");
                break;

            case V1.ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType when index.IsMessage(request.AllExtensionNumbersOfType):
                response.AllExtensionNumbersResponse = new V1.ExtensionNumberResponse { BaseTypeName = request.AllExtensionNumbersOfType };
                break;

            case V1.ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType:
                AnswerFile(response, null, $"type '{request.AllExtensionNumbersOfType}'");
                break;

            default:
                response.ErrorResponse = Error(StatusCode.InvalidArgument, "the request asks for nothing; set one field of message_request");
                break;
        }

        return response;
    }

    private static void AnswerFile(V1.ServerReflectionResponse response, FileDescriptor? file, string what)
    {
        if (file is null)
        {
            response.ErrorResponse = Error(StatusCode.NotFound, $"{what} is not known here");
            return;
        }

        response.FileDescriptorResponse = new V1.FileDescriptorResponse
        {
            FileDescriptorProto = { DescriptorIndex.WithImports(file).Select(each => each.SerializedData) },
        };
    }

    private static V1.ErrorResponse Error(StatusCode status, string message) => new() { ErrorCode = (int)status, ErrorMessage = message };
}
