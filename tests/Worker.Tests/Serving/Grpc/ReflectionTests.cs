using System.Net;
using System.Threading.Channels;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Reflection.V1;
using V1Alpha = Grpc.Reflection.V1Alpha;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class ReflectionTests
{
    private const string V1Path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

    private static readonly string[] Services =
    [
        "cluster.v1.TextGeneration",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "vllm.grpc.engine.VllmEngine",
    ];

    [Fact]
    public async Task Every_service_is_listed_in_both_versions()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        var v1 = await AskAsync(server, new ServerReflectionRequest { Host = "h", ListServices = "*" });
        using var call = new V1Alpha.ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new V1Alpha.ServerReflectionRequest { Host = "h", ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        var alpha = call.ResponseStream.Current;

        Assert.Equal(Services, v1.ListServicesResponse.Service.Select(service => service.Name).Order(StringComparer.Ordinal));
        Assert.Equal(("h", "h"), (v1.ValidHost, v1.OriginalRequest.Host));
        Assert.Equal(Services, alpha.ListServicesResponse.Service.Select(service => service.Name).Order(StringComparer.Ordinal));
        Assert.Equal(("h", "h"), (alpha.ValidHost, alpha.OriginalRequest.Host));
    }

    [Fact]
    public async Task A_client_can_build_every_service_from_what_it_is_told()
    {
        await using var server = await GrpcTestServer.StartAsync();

        foreach (var name in Services)
        {
            var response = await AskAsync(server, new ServerReflectionRequest { FileContainingSymbol = name });
            var files = FileDescriptor.BuildFromByteStrings(response.FileDescriptorResponse.FileDescriptorProto);
            var service = Assert.Single(files[^1].Services, service => service.FullName == name);
            Assert.NotEmpty(service.Methods);
        }
    }

    [Theory]
    [InlineData("vllm.grpc.engine.VllmEngine.Generate", "vllm_engine.proto")]
    [InlineData("vllm.grpc.engine.SamplingParams", "vllm_engine.proto")]
    [InlineData("vllm.grpc.engine.SamplingParams.logit_bias", "vllm_engine.proto")]
    [InlineData("vllm.grpc.engine.SamplingParams.LogitBiasEntry", "vllm_engine.proto")]
    [InlineData("vllm.grpc.engine.SamplingParams.constraint", "vllm_engine.proto")]
    [InlineData("cluster.v1.FinishReason", "cluster/v1/text_generation.proto")]
    [InlineData("cluster.v1.FINISH_REASON_STOP", "cluster/v1/text_generation.proto")]
    [InlineData("grpc.health.v1.HealthCheckResponse.SERVING", "HEALTH")]
    public async Task Any_symbol_leads_to_its_file_and_the_file_is_found_by_name(string symbol, string file)
    {
        await using var server = await GrpcTestServer.StartAsync();
        var name = file == "HEALTH" ? global::Grpc.Health.V1.HealthReflection.Descriptor.Name : file;

        var bySymbol = await AskAsync(server, new ServerReflectionRequest { FileContainingSymbol = symbol });
        var byName = await AskAsync(server, new ServerReflectionRequest { FileByFilename = name });

        var proto = FileDescriptorProto.Parser.ParseFrom(Assert.Single(bySymbol.FileDescriptorResponse.FileDescriptorProto));
        Assert.Equal(name, proto.Name);
        Assert.Equal(bySymbol.FileDescriptorResponse, byName.FileDescriptorResponse);
        Assert.Equal(symbol, bySymbol.OriginalRequest.FileContainingSymbol);
    }

    [Fact]
    public async Task What_is_unknown_is_answered_with_an_error_and_the_stream_goes_on()
    {
        await using var server = await GrpcTestServer.StartAsync();
        ServerReflectionRequest[] requests =
        [
            new() { FileByFilename = "nothing.proto" },
            new() { FileContainingSymbol = "cluster.v1" },
            new() { FileContainingSymbol = "cluster.v1.Usage.nothing" },
            new() { FileContainingExtension = new ExtensionRequest { ContainingType = "cluster.v1.Usage", ExtensionNumber = 100 } },
            new() { AllExtensionNumbersOfType = "cluster.v1.Usage" },
            new(),
        ];

        using var call = await server.Raw.SendAsync(V1Path, [.. requests.SelectMany(GrpcTestClient.Frame)]);
        var responses = await call.ReadAllAsync<ServerReflectionResponse>();

        Assert.Equal(StatusCode.OK, call.Status.Code);
        Assert.Equal(requests, responses.Select(response => response.OriginalRequest));
        Assert.Equal(
            [StatusCode.NotFound, StatusCode.NotFound, StatusCode.NotFound, StatusCode.Unimplemented, StatusCode.Unimplemented,
                StatusCode.Unimplemented],
            responses.Select(response => (StatusCode)response.ErrorResponse.ErrorCode));
    }

    [Fact]
    public async Task No_request_gets_no_answer_and_OK()
    {
        await using var server = await GrpcTestServer.StartAsync();
        using var call = new ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();

        await call.RequestStream.CompleteAsync();

        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task A_stream_broken_off_inside_a_message_is_no_error_of_the_server()
    {
        await using var server = await GrpcTestServer.StartAsync();
        using var client = new GrpcTestClient(server.Address);
        using var requests = new StreamingContent();

        requests.Send(new ServerReflectionRequest { ListServices = "" });
        using var call = await client.SendAsync(V1Path, requests);
        await using var responses = call.MessagesAsync<ServerReflectionResponse>().GetAsyncEnumerator();
        Assert.True(await responses.MoveNextAsync());
        requests.SendRaw([0, 0, 0, 0, 9, 1]);
        client.Dispose();
        call.Dispose();
        await server.StopAsync();

        Assert.Empty(server.Log.Errors);
        requests.Complete();
    }

    [Fact]
    public async Task Each_request_is_answered_before_the_next_is_sent()
    {
        await using var server = await GrpcTestServer.StartAsync();
        using var call = new ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();

        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { FileByFilename = "vllm_engine.proto" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.NotNull(call.ResponseStream.Current.FileDescriptorResponse);
        await call.RequestStream.CompleteAsync();

        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task An_open_stream_does_not_keep_the_server_from_stopping()
    {
        await using var server = await GrpcTestServer.StartAsync();
        using var call = new ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));

        // Never returns while a call is open: the server ends its half, upon which the client lets go of its own. Which status the client
        // sees depends on whether the connection ends before it has read the call's.
        var stopping = server.StopAsync();
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        call.Dispose();
        await stopping;
    }

    private static async Task<ServerReflectionResponse> AskAsync(GrpcTestServer server, ServerReflectionRequest request)
    {
        using var call = new ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(request);
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        return call.ResponseStream.Current;
    }

    /// <summary>A request body that stays open while the test sends messages.</summary>
    private sealed class StreamingContent : HttpContent
    {
        private readonly Channel<byte[]> _frames = Channel.CreateUnbounded<byte[]>();

        public void Send(IMessage message) => SendRaw(GrpcTestClient.Frame(message));

        public void SendRaw(byte[] bytes) => Assert.True(_frames.Writer.TryWrite(bytes));

        public void Complete() => _frames.Writer.TryComplete();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await foreach (var frame in _frames.Reader.ReadAllAsync(cancellationToken))
            {
                await stream.WriteAsync(frame, cancellationToken);
                await stream.FlushAsync(cancellationToken);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
