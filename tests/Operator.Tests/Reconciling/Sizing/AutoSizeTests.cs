using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

/// <summary>tensorParallelSize auto through the reconciler: what is decided, where it is kept, and what may change it.</summary>
public sealed class AutoSizeTests
{
    private const long Gib = 1L << 30;

    private readonly SimulatedCluster cluster = new();

    [Fact]
    public async Task The_advice_becomes_pods_and_stands_in_status_and_in_an_event()
    {
        cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 2));
        await cluster.Finish();

        ModelDeploymentStatus status = cluster.Deployment().Status!;
        Assert.Equal((2, 2, 2), (status.TensorParallelSize, status.Sizing!.TensorParallelSize, status.ReadyReplicas));
        Assert.StartsWith("2 GPUs per replica for throughput: 131.4 GiB of weights", status.Sizing.Message, StringComparison.Ordinal);
        Assert.Equal(("spec.model.config", 8, 192 * Gib), (status.Sizing.ConfiguredBy, status.Sizing.GpusPerGroup, status.Sizing.VramBytesPerGpu));
        Assert.Equal([1, 2, 4, 8], status.Sizing.Alternatives!.Select(a => a.TensorParallelSize));
        Assert.All(cluster.Replicas(), r => Assert.Equal(2, r.Gpus.Count));
        Assert.All(cluster.Server.All<V1Pod>(), p => Assert.Contains("\"--tensor-parallel-size\",\"2\"", KubernetesJson.ToJsonObject(p).ToJsonString(), StringComparison.Ordinal));
        Assert.Equal("TensorParallelSizeChosen", Assert.Single(cluster.Events(), e => e == "TensorParallelSizeChosen"));
        Assert.Equal(("True", "Allocated"), (cluster.Condition("GpusAllocated").Status, cluster.Condition("GpusAllocated").Reason));
    }

    [Fact]
    public async Task Nodes_that_come_and_go_and_operators_that_start_anew_change_nothing()
    {
        cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-70B", replicas: 1, length: 8192));
        await cluster.Finish();
        string pod = Assert.Single(cluster.Replicas()).Name;
        Assert.Equal(4, cluster.Deployment().Status!.TensorParallelSize);

        cluster.Add(Given.Node("n2"));
        await cluster.Finish();
        cluster.Restart();
        await cluster.Finish();
        Assert.Equal((pod, 4), (Assert.Single(cluster.Replicas()).Name, cluster.Deployment().Status!.TensorParallelSize!.Value));

        cluster.Server.Remove<V1Node>("", "n1");
        await cluster.Finish();
        Replica moved = Assert.Single(cluster.Replicas());
        Assert.Equal(("n2", 4), (moved.Node, moved.Gpus.Count));
        Assert.Single(cluster.Events(), e => e == "TensorParallelSizeChosen");
    }

    [Fact]
    public async Task Scaling_keeps_the_decision_and_a_longer_context_makes_a_new_one()
    {
        cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1, length: 8192));
        await cluster.Finish();
        Assert.Equal(1, cluster.Deployment().Status!.TensorParallelSize);

        cluster.ChangeSpec("haiku", spec => spec["replicas"] = 2);
        await cluster.Finish();
        Assert.Equal([1, 1], cluster.Replicas().Select(r => r.Gpus.Count));

        cluster.ChangeSpec("haiku", spec => spec["engine"]!["maxModelLen"] = 131072);
        await cluster.Finish();
        Assert.Equal([2, 2], cluster.Replicas().Select(r => r.Gpus.Count));
        Assert.Equal(2, cluster.Events().Count(e => e == "TensorParallelSizeChosen"));
    }

    [Fact]
    public async Task Writing_the_chosen_number_into_the_spec_replaces_no_pod()
    {
        cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1));
        await cluster.Finish();
        string pod = Assert.Single(cluster.Replicas()).Name;

        cluster.ChangeSpec("haiku", spec =>
        {
            spec["tensorParallelSize"] = 2;
            spec["model"]!.AsObject().Remove("config");
        });
        await cluster.Finish();
        Assert.Equal(pod, Assert.Single(cluster.Replicas()).Name);
        Assert.Null(cluster.Deployment().Status!.Sizing);
        Assert.Equal(2, cluster.Deployment().Status!.TensorParallelSize);
    }

    [Fact]
    public async Task The_decision_is_on_the_server_before_the_first_pod()
    {
        cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1));
        await cluster.Settle();
        long decided = cluster.Server.Changes<ModelDeployment>(0, int.MaxValue).First(c => c.Event.Object.Status?.Sizing?.TensorParallelSize == 2).Version;
        long created = cluster.Server.Changes<V1Pod>(0, int.MaxValue).First().Version;
        Assert.True(decided < created, $"decided at {decided}, created at {created}");
    }

    [Fact]
    public async Task A_model_that_does_not_fit_says_so_and_is_tried_again_when_larger_GPUs_come()
    {
        cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-405B", replicas: 1));
        await cluster.Settle();

        Condition condition = cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "ModelTooLarge"), (condition.Status, condition.Reason));
        Assert.Contains("What would help: ", condition.Message, StringComparison.Ordinal);
        Assert.Equal(condition.Message, cluster.Deployment().Status!.Sizing!.Message);
        Assert.Null(cluster.Deployment().Status!.TensorParallelSize);
        Assert.Contains("ModelTooLarge", cluster.Events());
        Assert.Empty(cluster.Replicas());

        cluster.Add(Given.Node("n2"));
        cluster.Deliver();
        cluster.Fleet.OfferAll();
        Assert.Contains(new NamespacedName("ns", "haiku"), cluster.Woken);
        await cluster.Finish();
        Assert.Equal(("n2", 8), (Assert.Single(cluster.Replicas()).Node, cluster.Deployment().Status!.TensorParallelSize!.Value));
    }

    [Fact]
    public async Task Pods_go_only_to_GPUs_as_large_as_those_the_decision_counted_on()
    {
        cluster.Add(Given.Node("n1", SmallGpus()));
        cluster.Add(Given.Node("n2"));
        Add(Auto("Llama-3.1-70B", replicas: 5));
        await cluster.Finish();

        Assert.Equal(192 * Gib, cluster.Deployment().Status!.Sizing!.VramBytesPerGpu ?? 0);
        Assert.All(cluster.Replicas(), r => Assert.Equal("n2", r.Node));
        Assert.Contains("n1 (its GPUs have 64 GiB, and tensorParallelSize was chosen for 192 GiB)", cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file:///data/m", "the operator cannot look into a folder of the nodes")]
    [InlineData("pvc://claim/m", "the operator mounts no volume claims")]
    [InlineData("hf://org/name", "the operator was told not to ask the hub")]
    public async Task A_configuration_that_cannot_be_read_says_what_to_do_and_leaves_running_pods_alone(string source, string why)
    {
        cluster.Add(Given.Node("n1"));
        Add(Given.Deployment(change: s => (s.Model.Source, s.TensorParallelSize) = (source, 2)));
        await cluster.Finish();
        string pod = Assert.Single(cluster.Replicas()).Name;

        cluster.ChangeSpec("haiku", spec => spec["tensorParallelSize"] = "auto");
        await cluster.Finish();
        Condition condition = cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "ModelConfigUnknown"), (condition.Status, condition.Reason));
        Assert.Equal($"tensorParallelSize auto cannot be decided: {why}", condition.Message!.Split("; give")[0].Split(" (--")[0]);
        Assert.EndsWith("give tensorParallelSize as a number, or the checkpoint's config.json in model.config", condition.Message, StringComparison.Ordinal);
        Assert.Equal(pod, Assert.Single(cluster.Replicas()).Name);
    }

    [Fact]
    public async Task Scaled_to_zero_it_gives_its_GPUs_back_undecided_or_not()
    {
        cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-8B", replicas: 2, length: 8192));
        await cluster.Finish();
        Assert.Equal(2, cluster.Replicas().Count);

        cluster.ChangeSpec("haiku", spec =>
        {
            spec["model"]!["config"] = PublishedModels.Config("Llama-3.1-405B");
            spec["replicas"] = 0;
        });
        await cluster.Finish();
        Assert.Empty(cluster.Replicas());
        Assert.Null(cluster.Deployment().Status!.TensorParallelSize);
        Assert.Equal("ScaledToZero", cluster.Condition("Ready").Reason);
    }

    [Fact]
    public async Task Without_a_node_that_tells_its_memory_there_is_nothing_to_decide()
    {
        cluster.Add(Given.Node("n1", [.. Given.Gpus(8).Select(g => g with { VramBytes = null })]));
        Add(Auto("Llama-3.1-8B", replicas: 1));
        await cluster.Settle();
        Assert.Equal("NoGpuNodes", cluster.Condition("GpusAllocated").Reason);
        Assert.Contains(GpuClass.VramLabel, cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deployment_can_be_deleted_undecided()
    {
        Add(Auto("Llama-3.1-8B", replicas: 1));
        await cluster.Settle();
        cluster.Server.Update<ModelDeployment>("ns", "haiku", d => d["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z");
        await cluster.Settle();
        Assert.Null(cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    private void Add(ModelDeployment deployment) => cluster.Add(deployment);

    private static ModelDeployment Auto(string model, int replicas, int? length = null) => Given.Deployment(change: s =>
    {
        s.TensorParallelSize = TensorParallelSize.Auto;
        s.Replicas = replicas;
        s.Model.Config = PublishedModels.Config(model);
        s.Engine.MaxModelLen = length;
    });

    private static List<GpuDevice> SmallGpus() => [.. Given.Gpus(8, hiveSize: 4).Select(g => g with { VramBytes = 64 * Gib })];
}
