using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Plugin;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Tests.Reconciling;
using Cluster.Operator.Tests.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Tests.Plugin;

public sealed class ExplainerTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_pod_is_where_it_breaks_the_smallest_group_and_the_text_says_so()
    {
        var it = await ExplainAsync(
            Given.Deployment(change: spec => spec.TensorParallelSize = 2),
            [Given.Node("big"), Given.Node("small", gpus: 2)], [Given.Pod("haiku-a", node: "small", gpus: "0,1")]);

        var pod = Assert.Single(it.Pods);
        Assert.Equal(("small", "ready", true), (pod.Node, pod.State, pod.Ready));
        Assert.Equal([0], pod.NumaNodes);
        Assert.Equal(["1"], pod.Hives);
        Assert.Contains("GPUs 0,1 share XGMI hive 1, as gpu.requireSameHive asks", pod.Why);
        Assert.Contains("GPUs 0,1 are on NUMA node 0", pod.Why);
        Assert.Contains("node small is the best fit: a free group of 2 is broken there, and one of 8 on big stays whole", pod.Why);
        Assert.Null(it.Missing);
        Assert.Contains("haiku-a  node small, GPUs 0,1, ready", ExplanationText.Of(it), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_would_go_elsewhere_now_is_said_to_stay()
    {
        var it = await ExplainAsync(
            Given.Deployment(), [Given.Node("big"), Given.Node("small", gpus: 1)], [Given.Pod("haiku-a", node: "big", gpus: "0")]);

        Assert.Contains(
            "when it was placed, node big was the best fit; now small would be, since a free group of 1 is broken there, and one of 8 on "
            + "big stays whole. Pods are not moved", Assert.Single(it.Pods).Why);
    }

    [Fact]
    public async Task What_is_not_placed_has_the_planner_s_reason_and_the_nodes_say_why_not()
    {
        var deployment = Given.Deployment(change: spec => (spec.Replicas, spec.TensorParallelSize) = (3, 4));
        V1Node[] nodes = [
            Given.Node("cordoned", change: node => node.Spec.Unschedulable = true), Given.Node("n1"),
            Given.Node("halves", hiveSize: 2)];
        V1Pod[] pods = [Given.Pod("haiku-a", gpus: "0,1,2,3"), Given.Pod("other", gpus: "4", owner: "somebody")];

        var it = await ExplainAsync(deployment, nodes, pods);

        GpuLedger ledger = new(nodes, pods.Select(pod => Replica.Of(pod)));
        var request = PlanRequest.For(deployment, WorkerTemplate.For(deployment, Given.Options), _ => null) with { TemplateHash = "new" };
        var shortage = Planner.Decide(request, [Replica.Of(pods[0])], ledger).Shortage!;
        Assert.Equal((2, shortage.Reason, shortage.Message), (it.Missing!.Replicas, it.Missing.Reason, it.Missing.Message));
        Assert.Equal(
            [("cordoned", "cordoned"), ("halves", "8 of 8 GPUs free, at most 2 of them in one XGMI hive"), ("n1", "3 of 8 GPUs free")],
            it.Nodes.Select(node => (node.Node, node.Verdict)));
        Assert.Equal(["ns/haiku-a", "ns/other"], it.Nodes[2].Holders);
        Assert.All(it.Nodes, node => Assert.Null(node.Takes));
    }

    [Fact]
    public async Task What_would_fit_counts_replicas_by_degree_as_if_the_own_pods_were_gone()
    {
        var it = await ExplainAsync(
            Given.Deployment(change: spec => spec.TensorParallelSize = 4),
            [Given.Node("n1"), Given.Node("n2", hiveSize: 4)],
            [Given.Pod("haiku-a", gpus: "0,1,2,3"), Given.Pod("other", gpus: "7", owner: "somebody")]);

        Assert.Equal(
            [(1, 15, false), (2, 7, false), (4, 3, true), (8, 0, false)],
            it.WouldFit.Select(row => (row.TensorParallelSize, row.Replicas, row.IsPresent)));
    }

    [Fact]
    public async Task Memory_is_the_operator_s_own_table()
    {
        var deployment = Given.Deployment(change: spec =>
        {
            (spec.TensorParallelSize, spec.Engine.MaxModelLen) = (TensorParallelSize.Auto, 131072);
            spec.Model.Config = PublishedModels.Config("Llama-3.1-70B");
        });

        var auto = await ExplainAsync(deployment, [Given.Node("n1")], []);
        var number = await ExplainAsync(deployment, [Given.Node("n1")], [], "tp=1");

        Assert.Equal((2, true), (auto.TensorParallelSize, auto.Memory!.Fits));
        Assert.StartsWith("2 GPUs per replica for throughput: 131.4 GiB of weights", auto.Memory.Message, StringComparison.Ordinal);
        Assert.Equal([1, 2, 4, 8], auto.WouldFit.Select(row => row.TensorParallelSize));
        Assert.Equal([false, true, true, true], auto.WouldFit.Select(row => row.MemoryFits!.Value));
        Assert.False(number.WhatIf!.Memory!.Fits ?? true);
    }

    [Fact]
    public async Task Auto_without_a_readable_model_says_what_to_do()
    {
        var it = await ExplainAsync(
            Given.Deployment(change: spec => spec.TensorParallelSize = TensorParallelSize.Auto), [Given.Node("n1")], []);

        Assert.Equal((1, Shortage.ModelConfigUnknown), (it.Missing!.Replicas, it.Missing.Reason));
        Assert.Contains("give tensorParallelSize as a number", it.Missing.Message, StringComparison.Ordinal);
        Assert.Null(it.TensorParallelSize);
    }

    [Fact]
    public async Task More_replicas_are_put_beside_those_that_are_there()
    {
        var it = await ExplainAsync(Deployed(replicas: 1), [Given.Node("n1", gpus: 3)], [Given.Pod("haiku-a")], "replicas=4");

        var what = it.WhatIf!;
        Assert.Equal(["replicas: 1 → 4"], what.Changes);
        Assert.Equal((false, 4, 3), (what.ReplacesPods, what.Replicas, what.Fits));
        Assert.Equal(
            [("haiku-a", "n1", "0"), (null, "n1", "1"), (null, "n1", "2")],
            what.Placements.Select(p => (p.Pod, p.Node, string.Join(',', p.Gpus))));
        Assert.Equal((1, "InsufficientGpus"), (what.Shortage!.Replicas, what.Shortage.Reason));
        Assert.Equal(["create a pod on node n1, GPU 1", "create a pod on node n1, GPU 2"], what.Steps);
    }

    [Fact]
    public async Task Another_degree_makes_every_pod_anew_one_after_the_other()
    {
        var it = await ExplainAsync(
            Deployed(replicas: 2), [Given.Node("n1", gpus: 4)], [Given.Pod("haiku-a"), Given.Pod("haiku-b", gpus: "1")], "tp=2");

        var what = it.WhatIf!;
        Assert.Equal((true, 2, 2), (what.ReplacesPods, what.TensorParallelSize, what.Fits));
        Assert.Equal(["0,1", "2,3"], what.Placements.Select(p => string.Join(',', p.Gpus)));
        Assert.Contains("delete pod haiku-b: made from an older template", what.Steps);
        Assert.Contains("every pod would be made anew; first the operator would", ExplanationText.Of(it), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_that_an_API_server_would_refuse_is_refused_in_its_words()
    {
        var it = await ExplainAsync(Deployed(replicas: 1), [Given.Node("n1")], [], "replicas=-1");

        Assert.Contains("spec.replicas", it.WhatIf!.Invalid, StringComparison.Ordinal);
        Assert.Contains("it would be refused", ExplanationText.Of(it), StringComparison.Ordinal);
        await Assert.ThrowsAsync<CommandFailure>(() => ExplainAsync(Deployed(replicas: 1), [Given.Node("n1")], [], "colour=blue"));
    }

    [Fact]
    public async Task Pods_of_a_scheduler_say_who_has_chosen()
    {
        var it = await ExplainAsync(
            Given.Deployment(change: spec => spec.Gpu.Allocation = GpuAllocation.DevicePlugin), [Given.Node("n1")],
            [Given.Pod("haiku-a", gpus: null)]);

        Assert.Contains(
            "the scheduler has chosen node n1, and its kubelet's device plugin the GPUs (gpu.allocation: DevicePlugin)", it.Pods[0].Why);
        Assert.Empty(it.Nodes);
    }

    [Fact]
    public async Task A_spec_of_which_no_pod_can_be_made_is_the_whole_answer()
    {
        var it = await ExplainAsync(
            Given.Deployment(change: spec => spec.Engine.ExtraArgs = ["--dtype=auto"]), [Given.Node("n1")], []);

        Assert.Contains("extraArgs", it.Invalid, StringComparison.Ordinal);
        Assert.Contains("no pod can be made from the spec", ExplanationText.Of(it), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Long_sentences_are_folded_between_words()
    {
        var deployment = Given.Deployment(change: spec =>
        {
            spec.TensorParallelSize = TensorParallelSize.Auto;
            spec.Model.Config = PublishedModels.Config("Llama-3.1-70B");
        });

        var it = await ExplainAsync(deployment, [Given.Node("n1")], []);
        var lines = ExplanationText.Of(it).Split('\n');

        Assert.All(lines, line => Assert.InRange(line.Length, 0, 120));
        Assert.Contains(
            it.Memory!.Message, string.Join(' ', lines.Select(line => line.Trim())), StringComparison.Ordinal);
    }

    /// <summary>As the operator leaves it when all is well.</summary>
    private static ModelDeployment Deployed(int replicas)
    {
        var deployment = Given.Deployment(change: spec => spec.Replicas = replicas);
        deployment.Status = new ModelDeploymentStatus { ObservedGeneration = 1, UpdatedReplicas = replicas, Replicas = replicas };
        return deployment;
    }

    private Task<Explanation> ExplainAsync(ModelDeployment deployment, V1Node[] nodes, V1Pod[] pods, params string[] changes)
    {
        deployment.Status ??= new ModelDeploymentStatus
        {
            ObservedGeneration = 1,
            UpdatedReplicas = pods.Count(pod => Replica.Of(pod).OwnerUid == deployment.Metadata.Uid),
        };
        return new Explainer(new NoModelConfigs(), _time).ExplainAsync(
            new LiveCluster(ModelDeploymentDefaults.Apply(deployment), nodes, pods), changes, TestContext.Current.CancellationToken);
    }
}
