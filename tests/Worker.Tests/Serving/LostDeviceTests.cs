using Cluster.Worker.Commands;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Compute.Ilgpu;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving;

/// <summary>A device fails under a worker that serves: it ends as it does when a rank is lost.</summary>
public sealed class LostDeviceTests : IAsyncDisposable
{
    private const string Reason = "device fake failed: clEnqueueNDRangeKernel: OutOfResources (-5)";

    private readonly LosingLauncher _launcher = new(new InterpreterLauncher(1L << 30));
    private readonly LlmEngine _engine;
    private readonly Tokenizer _tokenizer = Tokenizer.Load(Fixtures.Haiku);

    public LostDeviceTests()
    {
        var model = ModelLoader.Load(
            Fixtures.Haiku, new IlgpuBackend(_launcher, new IlgpuOptions()),
            new ModelRunnerOptions { MaxSequences = 2, MaxModelLength = 64, MaxBatchedTokens = 64 });
        _engine = new LlmEngine(new BackgroundRunner(model.Runner), _tokenizer, new EngineOptions(), TimeProvider.System);
    }

    public static TheoryData<Exception> Failures =>
        [new DeviceLostException(Reason), new KernelBuildException("kernel Rows.Gather: the driver of fake cannot build it")];

    [Theory(Timeout = 120_000), MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public async Task Requests_end_with_the_reason_readiness_is_gone_and_the_exit_code_is_one(Exception failure)
    {
        var log = new RecordedLog();
        await using var http = await ServeAsync();
        Assert.True(http.State.IsReady);
        var end = ServingEnd.AwaitAsync(
            http.Server, new TaskCompletionSource<string>().Task, ServingEnd.FailureAsync(_engine.Completion, null), TimeSpan.Zero, log);

        _launcher.Lose(failure);
        var (status, body) = await http.PostAsync("/v1/completions", """{"prompt": "a", "max_tokens": 2}""");

        Assert.Equal(503, status);
        Assert.Equal($"the engine has failed and must be restarted: {failure.Message}", (string?)body["error"]!["message"]);
        Assert.Equal(1, await end);
        Assert.Equal([$"{failure.Message}; exiting so that the replica is restarted "], log.Errors);
        Assert.False(http.State.IsReady);
        Assert.Contains(failure.Message, http.State.Failure, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_call_over_gRPC_ends_with_unavailable()
    {
        await using var http = await ServeAsync();
        using var channel = GrpcClients.Open(http.Server.GrpcAddress);

        _launcher.Lose(new DeviceLostException(Reason));
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await new TextGeneration.TextGenerationClient(channel)
            .GenerateAsync(new GenerateRequest { Prompt = "a", Sampling = new SamplingParams { MaxTokens = 2 } }));

        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
        Assert.Contains(Reason, failure.Status.Detail, StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    private async Task<HttpTestServer> ServeAsync()
    {
        var http = await HttpTestServer.StartAsync(ready: false);
        http.Server.BecomeReady(new ServedModel(["haiku"], Fixtures.Haiku, _engine, _tokenizer, null, ["fake"]));
        return http;
    }
}
