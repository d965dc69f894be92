using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class NodeAgentLoopTests : IAsyncLifetime
{
    private readonly AgentOfANode _node = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task Gpus_labels_and_the_switch_are_published_in_one_patch_and_not_again()
    {
        _node.Machine.WithCpus().WithMi300X(8, _ => 5).NumaBalancing = "1";
        await _node.StartAsync();
        await _node.NextPassAsync();
        var published = JsonSerializer.Deserialize<List<GpuDevice>>(
            _node.Annotations[ApiNames.NodeGpusAnnotation], KubernetesJson.Options)!;
        Assert.Equal(KfdTopology.Read(_node.Machine.Sys), published);
        Assert.Equal(
            ("1", null, "8", "spx-nps1"),
            (_node.Published, _node.Found, _node.Labels[NodeAnnotations.GpuCountLabel], _node.Labels[NodeAnnotations.GpuPartitionLabel]));
        Assert.Equal(1, _node.Patches);
        Assert.Empty(_node.Agent.Health.Problems);
    }

    [Fact]
    public async Task A_change_of_the_gpus_is_seen_in_the_next_pass()
    {
        _node.Machine.WithMi300X(2, _ => 5);
        await _node.StartAsync();
        _node.Machine.RemoveDriver();
        await _node.NextPassAsync();
        Assert.Equal("[]", _node.Annotations[ApiNames.NodeGpusAnnotation]);
        Assert.DoesNotContain(NodeAnnotations.GpuCountLabel, _node.Labels.Keys);
    }

    [Fact]
    public async Task What_somebody_else_changed_is_put_right()
    {
        _node.Machine.WithMi300X(2, _ => 5);
        await _node.StartAsync();
        _node.Server.Update<V1Node>(null, AgentOfANode.NodeName, n => n["metadata"]!["annotations"]![ApiNames.NodeGpusAnnotation] = "[]");
        await _node.NextPassAsync();
        Assert.NotEqual("[]", _node.Annotations[ApiNames.NodeGpusAnnotation]);
    }

    [Fact]
    public async Task While_a_gpu_cannot_be_opened_none_are_published_and_the_agent_says_why()
    {
        _node.Machine.WithMi300X(2, _ => 5);
        _node.Machine.Lock(129);
        await _node.StartAsync();
        Assert.DoesNotContain(ApiNames.NodeGpusAnnotation, _node.Annotations.Keys);
        Assert.Contains("renderD129", Assert.Single(_node.Agent.Health.Problems));
        Assert.True(_node.Agent.Health.IsAlive);
    }

    [Fact]
    public async Task A_kernel_without_the_switch_counts_as_off()
    {
        await _node.StartAsync();
        await _node.AddPodAsync("p");
        await _node.NextPassAsync();
        Assert.Equal(("0", null, null), (_node.Published, _node.Found, _node.Machine.NumaBalancing));
    }

    [Fact]
    public async Task A_pod_that_asks_turns_the_switch_off_at_once()
    {
        _node.Machine.NumaBalancing = "1";
        await _node.StartAsync();
        await _node.AddPodAsync("p");
        Assert.Equal(("0", "1", "0"), (_node.Machine.NumaBalancing, _node.Found, _node.Published));
    }

    [Fact]
    public async Task Turned_on_behind_its_back_it_is_off_again_in_the_next_pass_and_the_newer_value_is_kept()
    {
        await TunedAsync();
        _node.Machine.NumaBalancing = "2";
        await _node.NextPassAsync();
        Assert.Equal(("0", "2"), (_node.Machine.NumaBalancing, _node.Found));
    }

    [Fact]
    public async Task An_interval_after_the_last_pod_the_value_found_is_restored()
    {
        await TunedAsync();
        await _node.RemovePodAsync("p");
        Assert.Equal("0", _node.Machine.NumaBalancing);
        await _node.NextPassAsync();
        Assert.Equal(("1", "1", null), (_node.Machine.NumaBalancing, _node.Published, _node.Found));
    }

    [Fact]
    public async Task A_finished_pod_asks_for_nothing()
    {
        await TunedAsync();
        _node.Server.Update<V1Pod>("ns", "p", p => p["status"] = new System.Text.Json.Nodes.JsonObject { ["phase"] = "Failed" });
        await _node.PassUntilAsync(() => _node.Machine.NumaBalancing == "1");
        Assert.Equal("1", _node.Machine.NumaBalancing);
    }

    [Fact]
    public async Task A_successor_within_the_interval_finds_the_node_still_tuned()
    {
        await TunedAsync();
        List<string?> seen = [];
        _node.Server.AfterWrite = (_, _, _) => seen.Add(_node.Machine.NumaBalancing);
        await _node.RemovePodAsync("p");
        _node.Time.Advance(AgentOfANode.Interval / 2);
        await _node.AddPodAsync("successor");
        await _node.NextPassAsync();
        await _node.NextPassAsync();
        Assert.Equal("0", _node.Machine.NumaBalancing);
        Assert.DoesNotContain("1", seen);
    }

    [Fact]
    public async Task Stopping_while_pods_ask_leaves_the_node_tuned_and_the_next_agent_restores_it()
    {
        await TunedAsync();
        await _node.StopAsync();
        Assert.Equal(("0", "1"), (_node.Machine.NumaBalancing, _node.Found));
        _node.Server.Remove<V1Pod>("ns", "p");
        await _node.StartAsync();
        Assert.Equal("0", _node.Machine.NumaBalancing); // it does not know yet since when nobody asks
        await _node.NextPassAsync();
        Assert.Equal(("1", null), (_node.Machine.NumaBalancing, _node.Found));
    }

    [Fact]
    public async Task Stopping_when_no_pod_asks_restores_at_once()
    {
        await TunedAsync();
        await _node.RemovePodAsync("p");
        await _node.StopAsync();
        Assert.Equal(("1", "1", null), (_node.Machine.NumaBalancing, _node.Published, _node.Found));
        await _node.StartAsync();
    }

    [Fact]
    public async Task A_switch_that_cannot_be_read_is_not_reported_as_it_once_was()
    {
        await TunedAsync();
        _node.Machine.LockNumaBalancing();
        await _node.NextPassAsync();
        Assert.Null(_node.Published);
        Assert.All(_node.Agent.Health.Problems, p => Assert.Contains("kernel.numa_balancing", p));
    }

    [Fact]
    public async Task A_missing_node_is_a_problem_until_it_is_there()
    {
        _node.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) == ("get", "Node"))
            {
                throw new KubernetesException(404, "NotFound", "nodes \"n1\" not found");
            }
        };
        await _node.StartAsync();
        Assert.Contains("not found", Assert.Single(_node.Agent.Health.Problems));
        _node.Server.BeforeCall = null;
        await _node.NextPassAsync();
        Assert.Equal("0", _node.Published);
        Assert.Empty(_node.Agent.Health.Problems);
    }

    [Fact]
    public async Task A_loop_that_makes_no_passes_is_not_alive()
    {
        NodeAgentHealth health = new(_node.Time, AgentOfANode.Interval);
        Assert.True(health.IsAlive);
        Assert.NotEmpty(health.Problems);
        _node.Time.Advance(AgentOfANode.Interval * 5);
        Assert.False(health.IsAlive);
        health.Report([]);
        Assert.True(health.IsAlive);
        await _node.StartAsync();
    }

    private async Task TunedAsync()
    {
        _node.Machine.NumaBalancing = "1";
        await _node.StartAsync();
        await _node.AddPodAsync("p");
        Assert.Equal("0", _node.Published);
    }
}
