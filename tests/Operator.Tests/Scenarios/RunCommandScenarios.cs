using System.Net;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>The operator as its image starts it: a process, flags, probes, metrics and signals.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class RunCommandScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task The_process_serves_probes_and_metrics_and_gives_the_lease_back_when_told_to_stop()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        using var folder = new TemporaryFolder();
        var kubeconfig = Path.Combine(folder.Path, "kubeconfig");
        cluster.Server.WriteKubeconfig(kubeconfig);
        var port = FreePort.Next();
        await using var process = OperatorProcess.Start(
            "run", "--kubeconfig", kubeconfig, "--namespace", cluster.Namespace, "--worker-image", "worker:test",
            "--leader-elect-namespace", cluster.Namespace, "--model-path-prefix", "/models",
            "--metrics-host", "127.0.0.1", "--metrics-port", $"{port}");
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);

        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/healthz")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/readyz")).StatusCode);
        using var answer = await http.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Verify(PrometheusText.Parse(await answer.Content.ReadAsStringAsync()), cluster.Server.Address.Authority);

        process.Terminate();
        Assert.Equal(0, await process.ExitAsync());
        var lease = await cluster.Client.GetAsync<V1Lease>(cluster.Namespace, "cluster-operator", CancellationToken.None);
        Assert.Equal("", lease.Spec.HolderIdentity);
        Assert.Equal(2, cluster.Observer.Ready("llm"));
    }

    [Theory]
    [InlineData("--metrics-host", "everywhere", "--metrics-host everywhere: not an IP address", 1)]
    [InlineData("--workers", "0", "--workers 0: must be at least 1", 2)]
    [InlineData("--pod-template-allow", "hostnetwork", "--pod-template-allow hostnetwork: must be one of hostNetwork, hostPID", 2)]
    [InlineData("--model-path-prefix", "models", "--model-path-prefix models: must be an absolute path", 2)]
    [InlineData("--kubeconfig", "/no/such/file", "/no/such/file", 1)]
    public async Task A_wrong_flag_is_named_with_its_value(string flag, string value, string message, int exitCode)
    {
        var access = await server.AccessAsync();
        using var folder = new TemporaryFolder();
        var kubeconfig = Path.Combine(folder.Path, "kubeconfig");
        access.WriteKubeconfig(kubeconfig);
        string[] usual = flag == "--kubeconfig" ? [] : ["--kubeconfig", kubeconfig];
        await using var process = OperatorProcess.Start(["run", .. usual, "--worker-image", "worker:test", flag, value]);
        Assert.Equal(exitCode, await process.ExitAsync());
        Assert.Contains(message, string.Join('\n', process.Lines), StringComparison.Ordinal);
    }

    /// <summary>The series that dashboards and alerts for controller-runtime operators look at.</summary>
    private static void Verify(PrometheusText metrics, string host)
    {
        Assert.True(metrics.Sum("controller_runtime_reconcile_total", ("controller", "modeldeployment"), ("result", "success")) > 0);
        Assert.Equal(0, metrics.Value("controller_runtime_reconcile_total", ("controller", "modeldeployment"), ("result", "error")));
        Assert.Equal(0, metrics.Value("controller_runtime_reconcile_errors_total", ("controller", "modeldeployment")));
        Assert.Equal(4, metrics.Value("controller_runtime_max_concurrent_reconciles", ("controller", "modeldeployment")));
        Assert.Equal(1, metrics.Value("leader_election_master_status", ("name", "cluster-operator")));
        Assert.True(
            metrics.Sum("rest_client_requests_total", ("code", "201"), ("method", "POST"), ("host", host))
                + metrics.Sum("rest_client_requests_total", ("code", "200"), ("method", "POST"), ("host", host)) > 0);
        Assert.True(metrics.Value("workqueue_adds_total", ("name", "modeldeployment")) > 0);
        foreach (var gauge in new[]
        {
            "workqueue_depth",
            "workqueue_unfinished_work_seconds",
            "workqueue_longest_running_processor_seconds"
        })
        {
            Assert.Equal("gauge", metrics.TypeOf(gauge));
            Assert.True(metrics.Value(gauge, ("name", "modeldeployment")) >= 0);
        }

        Assert.Equal("gauge", metrics.TypeOf("controller_runtime_active_workers"));
        foreach (var histogram in new[]
        {
            "controller_runtime_reconcile_time_seconds",
            "workqueue_queue_duration_seconds",
            "workqueue_work_duration_seconds",
            "rest_client_request_duration_seconds"
        })
        {
            Assert.Equal("histogram", metrics.TypeOf(histogram));
            metrics.RequireHistogram(histogram);
        }
    }
}
