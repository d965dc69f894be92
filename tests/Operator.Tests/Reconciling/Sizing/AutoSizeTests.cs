using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

/// <summary>tensorParallelSize auto through the reconciler: what is decided, where it is kept, and what may change it.</summary>
public sealed class AutoSizeTests
{
    private const long Gib = 1L << 30;

    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task The_advice_becomes_pods_and_stands_in_status_and_in_an_event()
    {
        _cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 2));
        await _cluster.Finish();

        var status = _cluster.Deployment().Status!;
        Assert.Equal((2, 2, 2), (status.TensorParallelSize, status.Sizing!.TensorParallelSize, status.ReadyReplicas));
        Assert.StartsWith("2 GPUs per replica for throughput: 131.4 GiB of weights", status.Sizing.Message, StringComparison.Ordinal);
        Assert.Equal(
            ("spec.model.config", 8, 192 * Gib), (status.Sizing.ConfiguredBy, status.Sizing.GpusPerGroup, status.Sizing.VramBytesPerGpu));
        Assert.Equal([1, 2, 4, 8], status.Sizing.Alternatives!.Select(a => a.TensorParallelSize));
        Assert.All(_cluster.Replicas(), r => Assert.Equal(2, r.Gpus.Count));
        Assert.All(
            _cluster.Server.All<V1Pod>(),
            p => Assert.Contains(
                "\"--tensor-parallel-size\",\"2\"", KubernetesJson.ToJsonObject(p).ToJsonString(), StringComparison.Ordinal));
        Assert.Equal("TensorParallelSizeChosen", Assert.Single(_cluster.Events(), e => e == "TensorParallelSizeChosen"));
        Assert.Equal(("True", "Allocated"), (_cluster.Condition("GpusAllocated").Status, _cluster.Condition("GpusAllocated").Reason));
    }

    [Fact]
    public async Task Nodes_that_come_and_go_and_operators_that_start_anew_change_nothing()
    {
        _cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-70B", replicas: 1, length: 8192));
        await _cluster.Finish();
        var pod = Assert.Single(_cluster.Replicas()).Name;
        Assert.Equal(4, _cluster.Deployment().Status!.TensorParallelSize);

        _cluster.Add(Given.Node("n2"));
        await _cluster.Finish();
        _cluster.Restart();
        await _cluster.Finish();
        Assert.Equal((pod, 4), (Assert.Single(_cluster.Replicas()).Name, _cluster.Deployment().Status!.TensorParallelSize!.Value));

        _cluster.Server.Remove<V1Node>("", "n1");
        await _cluster.Finish();
        var moved = Assert.Single(_cluster.Replicas());
        Assert.Equal(("n2", 4), (moved.Node, moved.Gpus.Count));
        Assert.Single(_cluster.Events(), e => e == "TensorParallelSizeChosen");
    }

    [Fact]
    public async Task Scaling_keeps_the_decision_and_a_longer_context_makes_a_new_one()
    {
        _cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1, length: 8192));
        await _cluster.Finish();
        Assert.Equal(1, _cluster.Deployment().Status!.TensorParallelSize);

        _cluster.ChangeSpec("haiku", spec => spec["replicas"] = 2);
        await _cluster.Finish();
        Assert.Equal([1, 1], _cluster.Replicas().Select(r => r.Gpus.Count));

        _cluster.ChangeSpec("haiku", spec => spec["engine"]!["maxModelLen"] = 131072);
        await _cluster.Finish();
        Assert.Equal([2, 2], _cluster.Replicas().Select(r => r.Gpus.Count));
        Assert.Equal(2, _cluster.Events().Count(e => e == "TensorParallelSizeChosen"));
    }

    [Fact]
    public async Task Writing_the_chosen_number_into_the_spec_replaces_no_pod()
    {
        _cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1));
        await _cluster.Finish();
        var pod = Assert.Single(_cluster.Replicas()).Name;

        _cluster.ChangeSpec("haiku", spec =>
        {
            spec["tensorParallelSize"] = 2;
            spec["model"]!.AsObject().Remove("config");
        });
        await _cluster.Finish();
        Assert.Equal(pod, Assert.Single(_cluster.Replicas()).Name);
        Assert.Null(_cluster.Deployment().Status!.Sizing);
        Assert.Equal(2, _cluster.Deployment().Status!.TensorParallelSize);
    }

    [Fact]
    public async Task The_decision_is_on_the_server_before_the_first_pod()
    {
        _cluster.Add(Given.Node("n1"));
        Add(Auto("Llama-3.1-70B", replicas: 1));
        await _cluster.Settle();
        var decided = _cluster.Server.Changes<ModelDeployment>(0, int.MaxValue)
            .First(c => c.Event.Object.Status?.Sizing?.TensorParallelSize == 2).Version;
        var created = _cluster.Server.Changes<V1Pod>(0, int.MaxValue).First().Version;
        Assert.True(decided < created, $"decided at {decided}, created at {created}");
    }

    [Fact]
    public async Task A_model_that_does_not_fit_says_so_and_is_tried_again_when_larger_GPUs_come()
    {
        _cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-405B", replicas: 1));
        await _cluster.Settle();

        var condition = _cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "ModelTooLarge"), (condition.Status, condition.Reason));
        Assert.Contains("What would help: ", condition.Message, StringComparison.Ordinal);
        Assert.Equal(condition.Message, _cluster.Deployment().Status!.Sizing!.Message);
        Assert.Null(_cluster.Deployment().Status!.TensorParallelSize);
        Assert.Contains("ModelTooLarge", _cluster.Events());
        Assert.Empty(_cluster.Replicas());

        _cluster.Add(Given.Node("n2"));
        _cluster.Deliver();
        _cluster.Fleet.OfferAll();
        Assert.Contains(new NamespacedName("ns", "haiku"), _cluster.Woken);
        await _cluster.Finish();
        Assert.Equal(("n2", 8), (Assert.Single(_cluster.Replicas()).Node, _cluster.Deployment().Status!.TensorParallelSize!.Value));
    }

    [Fact]
    public async Task Pods_go_only_to_GPUs_as_large_as_those_the_decision_counted_on()
    {
        _cluster.Add(Given.Node("n1", SmallGpus()));
        _cluster.Add(Given.Node("n2"));
        Add(Auto("Llama-3.1-70B", replicas: 5));
        await _cluster.Finish();

        Assert.Equal(192 * Gib, _cluster.Deployment().Status!.Sizing!.VramBytesPerGpu ?? 0);
        Assert.All(_cluster.Replicas(), r => Assert.Equal("n2", r.Node));
        Assert.Contains(
            "n1 (its GPUs have 64 GiB, and tensorParallelSize was chosen for 192 GiB)", _cluster.Condition("GpusAllocated").Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file:///data/m", "the operator cannot look into a folder of the nodes")]
    [InlineData("pvc://claim/m", "the operator mounts no volume claims")]
    [InlineData("hf://org/name", "the operator was told not to ask the hub")]
    public async Task A_configuration_that_cannot_be_read_says_what_to_do_and_leaves_running_pods_alone(string source, string why)
    {
        _cluster.Add(Given.Node("n1"));
        Add(Given.Deployment(change: s => (s.Model.Source, s.TensorParallelSize) = (source, 2)));
        await _cluster.Finish();
        var pod = Assert.Single(_cluster.Replicas()).Name;

        _cluster.ChangeSpec("haiku", spec => spec["tensorParallelSize"] = "auto");
        await _cluster.Finish();
        var condition = _cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "ModelConfigUnknown"), (condition.Status, condition.Reason));
        Assert.Equal($"tensorParallelSize auto cannot be decided: {why}", condition.Message!.Split("; give")[0].Split(" (--")[0]);
        Assert.EndsWith(
            "give tensorParallelSize as a number, or the checkpoint's config.json in model.config", condition.Message,
            StringComparison.Ordinal);
        Assert.Equal(pod, Assert.Single(_cluster.Replicas()).Name);
    }

    [Fact]
    public async Task A_GGUF_file_is_not_sized_and_says_why()
    {
        _cluster.Add(Given.Node("n1"));
        Add(Given.Deployment(change: s => s.Model.Source = "file:///data/m-Q4_K.gguf"));
        _cluster.ChangeSpec("haiku", spec =>
        {
            spec["tensorParallelSize"] = "auto";
            spec["model"]!["config"] = PublishedModels.Config("Llama-3.1-8B");
        });
        await _cluster.Settle();
        Assert.Equal(
            "tensorParallelSize auto cannot be decided: file:///data/m-Q4_K.gguf is a GGUF file, and the operator does not read how its "
            + "tensors are stored; give tensorParallelSize as a number",
            _cluster.Condition("GpusAllocated").Message);
    }

    [Fact]
    public async Task Scaled_to_zero_it_gives_its_GPUs_back_undecided_or_not()
    {
        _cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-8B", replicas: 2, length: 8192));
        await _cluster.Finish();
        Assert.Equal(2, _cluster.Replicas().Count);

        _cluster.ChangeSpec("haiku", spec =>
        {
            spec["model"]!["config"] = PublishedModels.Config("Llama-3.1-405B");
            spec["replicas"] = 0;
        });
        await _cluster.Finish();
        Assert.Empty(_cluster.Replicas());
        Assert.Null(_cluster.Deployment().Status!.TensorParallelSize);
        Assert.Equal("ScaledToZero", _cluster.Condition("Ready").Reason);
    }

    [Fact]
    public async Task Without_a_node_that_tells_its_memory_there_is_nothing_to_decide()
    {
        _cluster.Add(Given.Node("n1", [.. Given.Gpus(8).Select(g => g with { VramBytes = null })]));
        Add(Auto("Llama-3.1-8B", replicas: 1));
        await _cluster.Settle();
        Assert.Equal("NoGpuNodes", _cluster.Condition("GpusAllocated").Reason);
        Assert.Contains(GpuClass.VramLabel, _cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Weights_that_workers_round_take_fewer_gpus()
    {
        _cluster.Add(Given.Node("n1", SmallGpus()));
        Add(Auto("Llama-3.1-70B", replicas: 1, length: 8192));
        await _cluster.Finish();
        Assert.Equal(4, _cluster.Deployment().Status!.TensorParallelSize);

        _cluster.ChangeSpec("haiku", spec => spec["engine"]!["quantization"] = "int8");
        await _cluster.Finish();
        Assert.Equal(2, Assert.Single(_cluster.Replicas()).Gpus.Count);
        var message = _cluster.Deployment().Status!.Sizing!.Message;
        Assert.StartsWith("2 GPUs per replica for throughput: 67.", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deployment_can_be_deleted_undecided()
    {
        Add(Auto("Llama-3.1-8B", replicas: 1));
        await _cluster.Settle();
        _cluster.Server.Update<ModelDeployment>("ns", "haiku", d => d["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z");
        await _cluster.Settle();
        Assert.Null(_cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    private void Add(ModelDeployment deployment) => _cluster.Add(deployment);

    private static ModelDeployment Auto(string model, int replicas, int? length = null) => Given.Deployment(change: s =>
    {
        s.TensorParallelSize = TensorParallelSize.Auto;
        s.Replicas = replicas;
        s.Model.Config = PublishedModels.Config(model);
        s.Engine.MaxModelLen = length;
    });

    private static List<GpuDevice> SmallGpus() => [.. Given.Gpus(8, hiveSize: 4).Select(g => g with { VramBytes = 64 * Gib })];
}
