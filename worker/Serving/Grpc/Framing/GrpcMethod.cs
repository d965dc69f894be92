using Google.Protobuf.Reflection;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>A method and what serves it.</summary>
/// <param name="InvokeAsync">Reads the call's requests and writes its responses. Completes for OK, throws for any other status.</param>
internal sealed record GrpcMethod(MethodDescriptor Descriptor, Func<ServerCall, Task> InvokeAsync)
{
    /// <summary>The HTTP path: <c>/package.Service/Method</c>.</summary>
    public string Path => $"/{Descriptor.Service.FullName}/{Descriptor.Name}";
}
