using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class NodeAgentLoopTests : IAsyncLifetime
{
    private readonly AgentOfANode node = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => node.DisposeAsync();

    [Fact]
    public async Task Gpus_labels_and_the_switch_are_published_in_one_patch_and_not_again()
    {
        node.Machine.WithCpus().WithMi300X(8, _ => 5).NumaBalancing = "1";
        await node.StartAsync();
        await node.NextPassAsync();
        List<GpuDevice> published = JsonSerializer.Deserialize<List<GpuDevice>>(node.Annotations[ApiNames.NodeGpusAnnotation], KubernetesJson.Options)!;
        Assert.Equal(KfdTopology.Read(node.Machine.Sys), published);
        Assert.Equal(("1", null, "8", "spx-nps1"), (node.Published, node.Found, node.Labels[NodeAnnotations.GpuCountLabel], node.Labels[NodeAnnotations.GpuPartitionLabel]));
        Assert.Equal(1, node.Patches);
        Assert.Empty(node.Agent.Health.Problems);
    }

    [Fact]
    public async Task A_change_of_the_gpus_is_seen_in_the_next_pass()
    {
        node.Machine.WithMi300X(2, _ => 5);
        await node.StartAsync();
        node.Machine.RemoveDriver();
        await node.NextPassAsync();
        Assert.Equal("[]", node.Annotations[ApiNames.NodeGpusAnnotation]);
        Assert.DoesNotContain(NodeAnnotations.GpuCountLabel, node.Labels.Keys);
    }

    [Fact]
    public async Task What_somebody_else_changed_is_put_right()
    {
        node.Machine.WithMi300X(2, _ => 5);
        await node.StartAsync();
        node.Server.Update<V1Node>(null, AgentOfANode.NodeName, n => n["metadata"]!["annotations"]![ApiNames.NodeGpusAnnotation] = "[]");
        await node.NextPassAsync();
        Assert.NotEqual("[]", node.Annotations[ApiNames.NodeGpusAnnotation]);
    }

    [Fact]
    public async Task While_a_gpu_cannot_be_opened_none_are_published_and_the_agent_says_why()
    {
        node.Machine.WithMi300X(2, _ => 5);
        node.Machine.Lock(129);
        await node.StartAsync();
        Assert.DoesNotContain(ApiNames.NodeGpusAnnotation, node.Annotations.Keys);
        Assert.Contains("renderD129", Assert.Single(node.Agent.Health.Problems));
        Assert.True(node.Agent.Health.IsAlive);
    }

    [Fact]
    public async Task A_kernel_without_the_switch_counts_as_off()
    {
        await node.StartAsync();
        await node.AddPodAsync("p");
        await node.NextPassAsync();
        Assert.Equal(("0", null, null), (node.Published, node.Found, node.Machine.NumaBalancing));
    }

    [Fact]
    public async Task A_pod_that_asks_turns_the_switch_off_at_once()
    {
        node.Machine.NumaBalancing = "1";
        await node.StartAsync();
        await node.AddPodAsync("p");
        Assert.Equal(("0", "1", "0"), (node.Machine.NumaBalancing, node.Found, node.Published));
    }

    [Fact]
    public async Task Turned_on_behind_its_back_it_is_off_again_in_the_next_pass_and_the_newer_value_is_kept()
    {
        await TunedAsync();
        node.Machine.NumaBalancing = "2";
        await node.NextPassAsync();
        Assert.Equal(("0", "2"), (node.Machine.NumaBalancing, node.Found));
    }

    [Fact]
    public async Task An_interval_after_the_last_pod_the_value_found_is_restored()
    {
        await TunedAsync();
        await node.RemovePodAsync("p");
        Assert.Equal("0", node.Machine.NumaBalancing);
        await node.NextPassAsync();
        Assert.Equal(("1", "1", null), (node.Machine.NumaBalancing, node.Published, node.Found));
    }

    [Fact]
    public async Task A_finished_pod_asks_for_nothing()
    {
        await TunedAsync();
        node.Server.Update<V1Pod>("ns", "p", p => p["status"] = new System.Text.Json.Nodes.JsonObject { ["phase"] = "Failed" });
        await node.PassUntilAsync(() => node.Machine.NumaBalancing == "1");
        Assert.Equal("1", node.Machine.NumaBalancing);
    }

    [Fact]
    public async Task A_successor_within_the_interval_finds_the_node_still_tuned()
    {
        await TunedAsync();
        List<string?> seen = [];
        node.Server.AfterWrite = (_, _, _) => seen.Add(node.Machine.NumaBalancing);
        await node.RemovePodAsync("p");
        node.Time.Advance(AgentOfANode.Interval / 2);
        await node.AddPodAsync("successor");
        await node.NextPassAsync();
        await node.NextPassAsync();
        Assert.Equal("0", node.Machine.NumaBalancing);
        Assert.DoesNotContain("1", seen);
    }

    [Fact]
    public async Task Stopping_while_pods_ask_leaves_the_node_tuned_and_the_next_agent_restores_it()
    {
        await TunedAsync();
        await node.StopAsync();
        Assert.Equal(("0", "1"), (node.Machine.NumaBalancing, node.Found));
        node.Server.Remove<V1Pod>("ns", "p");
        await node.StartAsync();
        Assert.Equal("0", node.Machine.NumaBalancing); // it does not know yet since when nobody asks
        await node.NextPassAsync();
        Assert.Equal(("1", null), (node.Machine.NumaBalancing, node.Found));
    }

    [Fact]
    public async Task Stopping_when_no_pod_asks_restores_at_once()
    {
        await TunedAsync();
        await node.RemovePodAsync("p");
        await node.StopAsync();
        Assert.Equal(("1", "1", null), (node.Machine.NumaBalancing, node.Published, node.Found));
        await node.StartAsync();
    }

    [Fact]
    public async Task A_switch_that_cannot_be_read_is_not_reported_as_it_once_was()
    {
        await TunedAsync();
        node.Machine.LockNumaBalancing();
        await node.NextPassAsync();
        Assert.Null(node.Published);
        Assert.All(node.Agent.Health.Problems, p => Assert.Contains("kernel.numa_balancing", p));
    }

    [Fact]
    public async Task A_missing_node_is_a_problem_until_it_is_there()
    {
        node.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) == ("get", "Node"))
            {
                throw new KubernetesException(404, "NotFound", "nodes \"n1\" not found");
            }
        };
        await node.StartAsync();
        Assert.Contains("not found", Assert.Single(node.Agent.Health.Problems));
        node.Server.BeforeCall = null;
        await node.NextPassAsync();
        Assert.Equal("0", node.Published);
        Assert.Empty(node.Agent.Health.Problems);
    }

    [Fact]
    public async Task A_loop_that_makes_no_passes_is_not_alive()
    {
        NodeAgentHealth health = new(node.Time, AgentOfANode.Interval);
        Assert.True(health.IsAlive);
        Assert.NotEmpty(health.Problems);
        node.Time.Advance(AgentOfANode.Interval * 5);
        Assert.False(health.IsAlive);
        health.Report([]);
        Assert.True(health.IsAlive);
        await node.StartAsync();
    }

    private async Task TunedAsync()
    {
        node.Machine.NumaBalancing = "1";
        await node.StartAsync();
        await node.AddPodAsync("p");
        Assert.Equal("0", node.Published);
    }
}
