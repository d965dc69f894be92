using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Worker.Commands;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Compute.Ilgpu;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Parallel;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;
using Grpc.Core;
using Grpc.Health.V1;

namespace Cluster.Worker.Tests.Serving;

/// <summary>A device whose memory loses bits under a worker that serves: nothing fails, and the known answer tells it.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class WrongResultsTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <summary>Kernels in the interpreter take their time.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromMinutes(3);

    private static readonly ModelRunnerOptions Runner = new() { MaxSequences = 2, MaxModelLength = 64, MaxBatchedTokens = 64 };

    private readonly ManualTime _time = new();
    private readonly BitFlippingLauncher _launcher = new(new InterpreterLauncher(1L << 30));

    [Fact(Timeout = 600_000)]
    public async Task The_worker_is_alive_but_unready_with_the_reason_over_http_grpc_and_metrics()
    {
        var model = ModelLoader.Load(Fixtures.Haiku, new IlgpuBackend(_launcher, new IlgpuOptions()), Runner);
        await using var engine = NewEngine(new BackgroundRunner(model.Runner));
        await using var http = await ServeAsync(engine);
        using var channel = GrpcClients.Open(http.Server.GrpcAddress);
        _time.Advance(Interval);
        await Eventually.True(
            () => Task.FromResult(engine.Statistics.KnownAnswers is { Agreed: 2 }), "the model has answered again", Slow);
        Assert.True(http.State.IsReady);

        _launcher.Flip();
        _time.Advance(Interval);
        await Eventually.True(() => Task.FromResult(!http.State.IsReady), "the worker is unready", Slow);

        using var ready = await http.Client.GetAsync("/ready");
        var body = await ready.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal(503, (int)ready.StatusCode);
        Assert.Equal(WorkerReasons.WrongResults, (string?)body!["reason"]);
        Assert.Contains("(device fake)", (string?)body["message"], StringComparison.Ordinal);
        Assert.Equal(200, (int)(await http.Client.GetAsync("/health")).StatusCode);
        var (status, error) = await http.PostAsync("/v1/completions", """{"prompt": "a", "max_tokens": 2}""");
        Assert.Equal(503, status);
        Assert.Contains("computes wrong results", (string?)error["error"]!["message"], StringComparison.Ordinal);
        var health = new Health.HealthClient(channel);
        var readiness = await health.CheckAsync(new HealthCheckRequest { Service = "readiness" });
        var liveness = await health.CheckAsync(new HealthCheckRequest { Service = "liveness" });
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, readiness.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, liveness.Status);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await new TextGeneration.TextGenerationClient(channel)
            .GenerateAsync(new GenerateRequest { Prompt = "a", Sampling = new SamplingParams { MaxTokens = 2 } }));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        var metrics = await http.Client.GetStringAsync("/metrics");
        Assert.Contains("cluster:known_answer_probes_total{model_name=\"model\",result=\"deviated\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("cluster:known_answer_probes_total{model_name=\"model\",result=\"agreed\"} 2", metrics, StringComparison.Ordinal);
    }

    [Fact(Timeout = 600_000)]
    public async Task A_fault_of_the_last_rank_shows_in_the_answer_of_the_first()
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Haiku);
        var group = TensorParallelModel.Load(config, weights, CpuRanks.Group(2), DeviceOf, Runner);
        await using var engine = NewEngine(group.Runner);
        await engine.KnownAnswer;
        _time.Advance(Interval);
        await Eventually.True(
            () => Task.FromResult(engine.Statistics.KnownAnswers is { Agreed: 2 }), "the model has answered again", Slow);

        _launcher.Flip();
        _time.Advance(Interval);

        Assert.Contains("digest", await engine.WrongResults, StringComparison.Ordinal);

        Backend DeviceOf(Communicator end) => end.Rank == 0
            ? CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1L << 30, Communicator = end })
            : new IlgpuBackend(_launcher, new IlgpuOptions { Communicator = end });
    }

    private LlmEngine NewEngine(IModelRunner runner) =>
        new(runner, Tokenizer.Load(Fixtures.Haiku), new EngineOptions { ProbeInterval = Interval }, _time);

    private static async Task<HttpTestServer> ServeAsync(LlmEngine engine)
    {
        var http = await HttpTestServer.StartAsync(ready: false);
        var log = new RecordedLog();
        await KnownAnswers.AwaitFirstAsync(engine, Interval, log);
        http.Server.BecomeReady(new ServedModel(["haiku"], Fixtures.Haiku, engine, Tokenizer.Load(Fixtures.Haiku), null, ["fake"]));
        _ = KnownAnswers.WatchAsync(engine, http.State, ["fake"], log);
        return http;
    }
}
