using System.Net;
using System.Threading.Channels;
using Cluster.Worker.Protos.Reflection.V1;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Xunit;
using V1Alpha = Cluster.Worker.Protos.Reflection.V1Alpha;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class ReflectionTests
{
    private const string V1Path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    private const string V1AlphaPath = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

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

        var v1 = await server.Client.CallAsync<ServerReflectionResponse>(V1Path, new ServerReflectionRequest { Host = "h", ListServices = "*" });
        var alpha = await server.Client.CallAsync<V1Alpha.ServerReflectionResponse>(V1AlphaPath, new V1Alpha.ServerReflectionRequest { ListServices = "" });

        Assert.Equal(Services, v1.ListServicesResponse.Service.Select(service => service.Name));
        Assert.Equal("h", v1.ValidHost);
        Assert.Equal("h", v1.OriginalRequest.Host);
        Assert.Equal(Services, alpha.ListServicesResponse.Service.Select(service => service.Name));
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
    [InlineData("grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto")]
    public async Task Any_symbol_leads_to_its_file_and_the_file_is_found_by_name(string symbol, string file)
    {
        await using var server = await GrpcTestServer.StartAsync();

        var bySymbol = await AskAsync(server, new ServerReflectionRequest { FileContainingSymbol = symbol });
        var byName = await AskAsync(server, new ServerReflectionRequest { FileByFilename = file });

        var proto = FileDescriptorProto.Parser.ParseFrom(Assert.Single(bySymbol.FileDescriptorResponse.FileDescriptorProto));
        Assert.Equal(file, proto.Name);
        Assert.Equal(bySymbol.FileDescriptorResponse, byName.FileDescriptorResponse);
    }

    [Fact]
    public async Task What_is_unknown_is_answered_with_an_error_and_the_stream_goes_on()
    {
        await using var server = await GrpcTestServer.StartAsync();
        ServerReflectionRequest[] requests =
        [
            new() { FileByFilename = "nothing.proto" },
            new() { FileContainingSymbol = "cluster.v1" },
            new() { FileContainingExtension = new ExtensionRequest { ContainingType = "cluster.v1.Usage", ExtensionNumber = 100 } },
            new() { AllExtensionNumbersOfType = "cluster.v1.Nothing" },
            new(),
            new() { AllExtensionNumbersOfType = "cluster.v1.Usage" },
        ];

        using var call = await server.Client.SendAsync(V1Path, [.. requests.SelectMany(GrpcTestClient.Frame)]);
        var responses = await call.ReadAllAsync<ServerReflectionResponse>();

        Assert.Equal(StatusCode.Ok, call.Status.Code);
        Assert.Equal(requests, responses.Select(response => response.OriginalRequest));
        Assert.Equal([5, 5, 5, 5, 3], responses[..5].Select(response => response.ErrorResponse.ErrorCode));
        Assert.Contains("nothing.proto", responses[0].ErrorResponse.ErrorMessage);
        Assert.Equal(new ExtensionNumberResponse { BaseTypeName = "cluster.v1.Usage" }, responses[5].AllExtensionNumbersResponse);
    }

    [Fact]
    public async Task No_request_gets_no_answer_and_OK()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(V1Path, []);

        Assert.Empty(await call.ReadFramesAsync());
        Assert.Equal(StatusCode.Ok, call.Status.Code);
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
        using var requests = new StreamingContent();

        requests.Send(new ServerReflectionRequest { ListServices = "" });
        using var call = await server.Client.SendAsync(V1Path, requests);
        await using var responses = call.MessagesAsync<ServerReflectionResponse>().GetAsyncEnumerator();
        Assert.True(await responses.MoveNextAsync());
        requests.Send(new ServerReflectionRequest { FileByFilename = "vllm_engine.proto" });
        Assert.True(await responses.MoveNextAsync());
        Assert.NotNull(responses.Current.FileDescriptorResponse);
        requests.Complete();

        Assert.False(await responses.MoveNextAsync());
        Assert.Equal(StatusCode.Ok, call.Status.Code);
    }

    [Fact]
    public async Task An_open_stream_does_not_keep_the_server_from_stopping()
    {
        await using var server = await GrpcTestServer.StartAsync();
        using var requests = new StreamingContent();

        requests.Send(new ServerReflectionRequest { ListServices = "" });
        using var call = await server.Client.SendAsync(V1Path, requests);
        await using var responses = call.MessagesAsync<ServerReflectionResponse>().GetAsyncEnumerator();
        Assert.True(await responses.MoveNextAsync());

        // Never returns while a call is open. What the client sees of the end depends on how far its open request keeps the stream alive.
        await server.StopAsync();
        requests.Complete();
    }

    private static Task<ServerReflectionResponse> AskAsync(GrpcTestServer server, ServerReflectionRequest request) =>
        server.Client.CallAsync<ServerReflectionResponse>(V1Path, request);

    /// <summary>A request body that stays open while the test sends messages.</summary>
    private sealed class StreamingContent : HttpContent
    {
        private readonly Channel<byte[]> frames = Channel.CreateUnbounded<byte[]>();

        public void Send(IMessage message) => SendRaw(GrpcTestClient.Frame(message));

        public void SendRaw(byte[] bytes) => Assert.True(frames.Writer.TryWrite(bytes));

        public void Complete() => frames.Writer.TryComplete();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        /// <remarks>Gives up when the server resets the stream, as every gRPC client does: Kestrel forgets a stream whose request stays open only at its next
        /// heartbeat, and a server that stops has none.</remarks>
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await foreach (var frame in frames.Reader.ReadAllAsync(cancellationToken))
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
