using System.Net;
using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Api;
using Cluster.Operator.Commands;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.NodeAgent;

/// <summary>The agent over HTTP: what it selects on the server, and what its probes answer.</summary>
public sealed class NodeAgentOnAnApiServerTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    [Fact]
    public async Task Only_pods_of_its_node_whose_deployment_asks_count()
    {
        using FakeMachine machine = new();
        machine.WithMi300X(2, _ => 5).NumaBalancing = "1";
        using TemporaryFolder home = new();
        var kubeconfig = Path.Combine(home.Path, "kubeconfig");
        fixture.Server.WriteKubeconfig(kubeconfig);
        using var client = KubernetesClient.Create(ClientConfiguration.Load(kubeconfig));
        await client.CreateAsync<V1Node>(
            new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = new JsonObject { ["name"] = "agent-1" } },
            CancellationToken.None);
        var space = await fixture.NewNamespaceAsync();
        await CreatePodAsync("elsewhere", "agent-2", NumaBalancing.Disabled);
        await CreatePodAsync("unmanaged", "agent-1", NumaBalancing.Unmanaged);

        NodeAgentLoop agent = new(
            client,
            new NodeAgentOptions
            {
                NodeName = "agent-1",
                SysRoot = machine.Sys,
                DevRoot = machine.Dev,
                ProcRoot = machine.Proc,
                Interval = TimeSpan.FromHours(1)
            });
        using CancellationTokenSource stop = new();
        var running = agent.RunAsync(stop.Token);
        await Eventually.True(() => agent.Health.Problems.Count == 0, "published");
        var node = await client.GetAsync<V1Node>(null, "agent-1", CancellationToken.None);
        Assert.Equal(
            ("1", "2"), (node.Metadata.Annotations![NodeAnnotations.NumaBalancing], node.Metadata.Labels![NodeAnnotations.GpuCountLabel]));
        Assert.Equal("1", machine.NumaBalancing);

        await CreatePodAsync("asks", "agent-1", NumaBalancing.Disabled);
        await Eventually.True(() => machine.NumaBalancing == "0", "turned off");
        Assert.Equal(
            "1",
            (await client.GetAsync<V1Node>(
                null, "agent-1", CancellationToken.None)).Metadata.Annotations![NodeAnnotations.NumaBalancingFound]);
        await stop.CancelAsync();
        await running;

        async Task CreatePodAsync(string name, string nodeName, NumaBalancing request)
        {
            var template = WorkerTemplate.For(Given.Deployment(name, s => s.Tuning.NumaBalancing = request), Given.Options);
            var pod = WorkerPod.Build(template, new ModelDeploymentSpec(), name, null);
            pod["metadata"]!["namespace"] = space;
            pod["metadata"]!.AsObject().Remove("ownerReferences");
            await client.CreateAsync<V1Pod>(pod, CancellationToken.None);
            await client.BindAsync(space, name, nodeName, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Probes_tell_liveness_from_readiness_and_say_what_is_wrong()
    {
        ManualTime time = new();
        NodeAgentHealth health = new(time, TimeSpan.FromSeconds(60));
        var (server, address) = await NodeAgentEndpoints.StartAsync("127.0.0.1", 0, health, new MetricsRegistry(), CancellationToken.None);
        await using (server)
        {
            using HttpClient http = new() { BaseAddress = new Uri(address) };
            Assert.Equal((HttpStatusCode.OK, "ok"), await AskAsync(http, "/healthz"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await AskAsync(http, "/readyz")).Status);
            health.Report([]);
            Assert.Equal((HttpStatusCode.OK, "ok"), await AskAsync(http, "/readyz"));
            health.Report(["GPU of KFD node 3: cannot be opened"]);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "GPU of KFD node 3: cannot be opened"), await AskAsync(http, "/readyz"));
            time.Advance(TimeSpan.FromMinutes(10));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await AskAsync(http, "/healthz")).Status);
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(http, "/metrics")).Status);
        }
    }

    private static async Task<(HttpStatusCode Status, string Body)> AskAsync(HttpClient http, string path)
    {
        using var answer = await http.GetAsync(path);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
