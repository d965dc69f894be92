using Cluster.Worker.Serving.Grpc;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class GrpcContentTypeTests
{
    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("Application/GRPC", true)]
    [InlineData("application/grpc; charset=utf-8", true)]
    [InlineData("application/grpc+proto;x=y", true)]
    [InlineData("application/grpc-web", false)]
    [InlineData("application/grpc-web+proto", false)]
    [InlineData("application/grpc+json", false)]
    [InlineData("application/grpcfoo", false)]
    [InlineData("application/json", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Only_gRPC_with_protobuf_matches(string? contentType, bool matches) =>
        Assert.Equal(matches, GrpcContentType.Matches(contentType));
}
