using System.Net;
using System.Net.Http.Headers;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>The protocol of a call, whatever the service: headers, status, errors.</summary>
public sealed class CallTests
{
    private const string Generate = "/cluster.v1.TextGeneration/Generate";

    [Fact]
    public async Task An_answer_is_headers_a_message_and_the_status_as_trailer()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" });
        var frame = Assert.Single(await call.ReadFramesAsync());

        Assert.Equal(HttpStatusCode.OK, call.Response.StatusCode);
        Assert.Equal("application/grpc", call.Response.Content.Headers.ContentType?.ToString());
        Assert.Equal(0, frame.Flag);
        Assert.False(call.Response.Headers.Contains("grpc-status"));
        Assert.Equal("0", call.Response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Fact]
    public async Task An_error_before_any_message_comes_as_trailers_only()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest());

        Assert.Empty(await call.ReadFramesAsync());
        Assert.True(call.Response.Headers.Contains("grpc-status"));
        Assert.Equal(StatusCode.InvalidArgument, call.Status.Code);
    }

    [Theory]
    [InlineData("/cluster.v1.TextGeneration/Paint")]
    [InlineData("/cluster.v1.Painting/Generate")]
    [InlineData("/CLUSTER.V1.TEXTGENERATION/GENERATE")]
    [InlineData("/")]
    [InlineData("/v1/completions")]
    public async Task A_call_to_an_unknown_method_is_unimplemented(string path)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(path, new GenerateRequest());

        Assert.Empty(await call.ReadFramesAsync());
        Assert.Equal((StatusCode.Unimplemented, $"unknown method '{path}'"), call.Status);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/grpc-web")]
    [InlineData("application/grpc+json")]
    [InlineData(null)]
    public async Task Another_content_type_gets_415(string? contentType)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(
            Generate,
            [],
            request => request.Content!.Headers.ContentType = contentType is null ? null : new MediaTypeHeaderValue(contentType));

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, call.Response.StatusCode);
    }

    [Fact]
    public async Task Another_verb_gets_405()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, [], request => request.Method = HttpMethod.Put);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, call.Response.StatusCode);
    }

    [Fact]
    public async Task HTTP_routes_live_beside_it_and_gRPC_over_HTTP_1_is_told_to_upgrade()
    {
        await using var server = await GrpcTestServer.StartAsync(http1: true);
        using var http = new HttpClient { BaseAddress = server.Address };

        Assert.Equal("alive", await http.GetStringAsync("/health"));
        Assert.Equal(
            "text/plain",
            await (await http.PostAsync(
                "/v1/completions", new StringContent("", new MediaTypeHeaderValue("text/plain")))).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/nowhere")).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await http.GetAsync("/v1/completions")).StatusCode);

        using var upgrade = await http.PostAsync(
            Generate, new ByteArrayContent([]) { Headers = { ContentType = new("application/grpc") } });
        Assert.Equal(HttpStatusCode.UpgradeRequired, upgrade.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("deflate")]
    public async Task A_request_whose_te_header_was_lost_is_refused(string? te)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, request =>
        {
            request.Headers.Remove("te");
            if (te is not null)
            {
                request.Headers.TryAddWithoutValidation("te", te);
            }
        });

        Assert.Equal(StatusCode.Internal, call.Status.Code);
        Assert.Contains("te: trailers", call.Status.Message);
    }

    [Fact]
    public async Task An_error_message_keeps_its_unicode()
    {
        await using var server = await GrpcTestServer.StartAsync();

        var (status, message) = await server.Text.GenerateAsync(new GenerateRequest { Model = "größe-海🌊 100%", Prompt = "hi" })
            .FailAsync();

        Assert.Equal(StatusCode.NotFound, status);
        Assert.Equal("model 'größe-海🌊 100%' is not served here; served: fake, alias", message);
    }

    [Fact]
    public async Task Failures_of_the_engine_have_their_status_and_unexpected_ones_tell_nothing()
    {
        await using var invalid = await GrpcTestServer.StartAsync(
            new FakeEngine { Failure = new InvalidRequestException("top_p is 7; it must be at most 1", "top_p") });
        await using var unavailable = await GrpcTestServer.StartAsync(
            new FakeEngine { Failure = new EngineUnavailableException("the engine died") });
        await using var unexpected = await GrpcTestServer.StartAsync(
            new FakeEngine { Failure = new FormatException("secret path /etc/passwd") });
        var request = new GenerateRequest { Prompt = "hi" };

        Assert.Equal(
            (StatusCode.InvalidArgument, "top_p is 7; it must be at most 1"), await invalid.Text.GenerateAsync(request).FailAsync());
        Assert.Equal((StatusCode.Unavailable, "the engine died"), await unavailable.Text.GenerateAsync(request).FailAsync());
        var (status, message) = await unexpected.Text.GenerateAsync(request).FailAsync();
        Assert.Equal(StatusCode.Internal, status);
        Assert.DoesNotContain("secret", message);
        Assert.Contains("secret", Assert.Single(unexpected.Log.Errors));
        Assert.Empty(invalid.Log.Errors.Concat(unavailable.Log.Errors));
    }

    [Fact]
    public async Task New_work_waits_for_the_model_and_stops_at_draining()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);
        var request = new GenerateRequest { Prompt = "hi" };

        Assert.Equal((StatusCode.Unavailable, "the model is still loading"), await server.Text.GenerateAsync(request).FailAsync());
        server.BecomeReady();
        await server.Text.GenerateAsync(request);
        server.State.BeginDraining();
        Assert.Equal(
            (StatusCode.Unavailable, "the worker is shutting down and takes no new requests"),
            await server.Text.GenerateAsync(request).FailAsync());
    }
}
