using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Workers that say that their GPUs compute wrong results: they are replaced, and the GPUs given to nobody until a person takes
/// their mark away.</summary>
public sealed class WrongResultsTests
{
    private const string Wrong =
        """{"status": "wrong-results", "reason": "WrongResults", "message": "the logits have the digest 12, and had 34"}""";

    private const string FirstGpu = "serving.cluster.sh/wrong-results.0000000000000001";

    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task The_pod_goes_its_gpu_is_marked_and_the_replacement_gets_another()
    {
        var pod = await OneReplica();
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Settle();

        Assert.NotNull(_cluster.Server.All<V1Pod>().Single(p => p.Metadata.Name == pod).Metadata.DeletionTimestamp);
        Assert.EndsWith($" pod ns/{pod}", Marks()[FirstGpu], StringComparison.Ordinal);
        var degraded = _cluster.Condition("Degraded");
        Assert.Equal(("True", "WrongResults"), (degraded.Status, degraded.Reason));
        Assert.Equal($"pod {pod} on GPU 0 of node n1 computes wrong results: the logits have the digest 12, and had 34", degraded.Message);
        Assert.Equal(["1"], _cluster.Deployment().Status!.Placements!.Where(p => p.Pod != pod).SelectMany(p => p.Gpus));

        await _cluster.Finish();
        Assert.Equal("False", _cluster.Condition("Degraded").Status);
        Assert.Equal([1], Assert.Single(_cluster.Replicas()).Gpus);
        Assert.Contains(
            _cluster.Server.All<Corev1Event>(),
            e => e.Message == $"deleted pod {pod}: its GPUs compute wrong results" && e.Type == "Warning");
    }

    [Fact]
    public async Task A_marked_gpu_is_given_to_nobody_until_the_mark_is_taken_away_whatever_operator_leads()
    {
        var pod = await OneReplica(gpus: 1);
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Finish();
        _cluster.Restart();
        await _cluster.Finish();

        Assert.Empty(_cluster.Replicas());
        Assert.Equal("InsufficientGpus", _cluster.Condition("GpusAllocated").Reason);
        Assert.EndsWith(
            "; left out for wrong results: GPU 0 of node n1", _cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);

        // kubectl annotate node n1 serving.cluster.sh/wrong-results.0000000000000001-
        _cluster.Server.Update<V1Node>(null, "n1", n => n["metadata"]!["annotations"]!.AsObject().Remove(FirstGpu));
        await _cluster.Finish();
        Assert.Equal([0], Assert.Single(_cluster.Replicas()).Gpus);
    }

    [Fact]
    public async Task Another_gpu_in_the_same_place_is_not_marked()
    {
        var pod = await OneReplica(gpus: 1);
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Finish();

        List<GpuDevice> swapped = [Given.Gpus(1)[0] with { Uuid = "GPU-00000000000000ff" }];
        _cluster.Server.Update<V1Node>(
            null, "n1",
            n => n["metadata"]!["annotations"]![ApiNames.NodeGpusAnnotation] =
                System.Text.Json.JsonSerializer.Serialize(swapped, KubernetesJson.Options));
        await _cluster.Finish();

        Assert.Equal(["GPU-00000000000000ff"], Assert.Single(_cluster.Replicas()).Uuids);
    }

    [Theory]
    [InlineData("""{"status": "stalled", "reason": "Stalled", "message": "the engine hangs"}""")]
    [InlineData("""{"status": "ready"}""")]
    [InlineData("""{"reason": ["WrongResults"]}""")]
    [InlineData("""["WrongResults"]""")]
    [InlineData("WrongResults")]
    [InlineData("")]
    public async Task A_worker_that_says_anything_else_stays_and_is_asked_again(string body)
    {
        var pod = await OneReplica();
        _cluster.BecomeUnready(pod, "10.0.0.1", body);
        await _cluster.Settle();

        Assert.Equal(WrongWorkers.Recheck, (await _cluster.Reconcile()).RequeueAfter);
        Assert.Equal(pod, Assert.Single(_cluster.Replicas()).Name);
        Assert.DoesNotContain(Marks().Keys, key => key.StartsWith(GpuMarks.Prefix, StringComparison.Ordinal));

        // However often it is looked at meanwhile.
        _cluster.ReadyByAddress["10.0.0.1"] = Wrong;
        await _cluster.Settle();
        Assert.Single(_cluster.Asked);

        _cluster.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(TimeSpan.FromSeconds(5), (await _cluster.Reconcile()).RequeueAfter);
        _cluster.Time.Advance(TimeSpan.FromSeconds(5));
        await _cluster.Settle();
        Assert.Contains(FirstGpu, Marks().Keys);
    }

    [Fact]
    public async Task A_worker_that_became_ready_meanwhile_is_asked_at_once_when_it_is_unready_again()
    {
        var pod = await OneReplica();
        _cluster.BecomeUnready(pod, "10.0.0.1", "");
        await _cluster.Settle();
        _cluster.StartPod(pod);
        await _cluster.Settle();
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Settle();
        Assert.Contains(FirstGpu, Marks().Keys);
    }

    [Fact]
    public async Task A_worker_that_loads_or_serves_is_not_asked()
    {
        await OneReplica();
        await _cluster.Settle();
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await _cluster.Settle();
        foreach (var pod in _cluster.Replicas().Where(r => !r.Ready))
        {
            _cluster.StartPod(pod.Name, ready: false);
        }

        await _cluster.Settle();
        Assert.Empty(_cluster.Asked);
    }

    [Fact]
    public async Task Where_the_mark_is_refused_the_pod_stays_with_its_gpu_and_the_condition_says_why()
    {
        var pod = await OneReplica();
        _cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if ((verb, kind) is ("patch", "Node"))
            {
                throw new KubernetesException(403, "Forbidden", "nodes \"n1\" is forbidden");
            }
        };
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Settle();

        Assert.Equal(pod, Assert.Single(_cluster.Replicas()).Name);
        Assert.Equal(("True", "WriteRefused"), (_cluster.Condition("Degraded").Status, _cluster.Condition("Degraded").Reason));
        Assert.Contains("cannot be marked: nodes \"n1\" is forbidden", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);

        _cluster.Server.BeforeCall = null;
        _cluster.Time.Advance(TimeSpan.FromMinutes(1));
        await _cluster.Finish();
        Assert.Contains(FirstGpu, Marks().Keys);
        Assert.Equal([1], Assert.Single(_cluster.Replicas()).Gpus);
    }

    [Fact]
    public async Task All_gpus_of_a_replica_are_marked_since_any_of_them_may_be_the_one()
    {
        await Deploy(gpus: 8, size: 2);
        var pod = Assert.Single(_cluster.Replicas()).Name;
        _cluster.BecomeUnready(pod, "10.0.0.1", Wrong);
        await _cluster.Finish();

        Assert.Equal(
            [FirstGpu, "serving.cluster.sh/wrong-results.0000000000000002"],
            Marks().Keys.Where(key => key.StartsWith(GpuMarks.Prefix, StringComparison.Ordinal)).Order());
        Assert.Equal([2, 3], Assert.Single(_cluster.Replicas()).Gpus);
    }

    [Fact]
    public async Task Worker_after_worker_is_replaced_ever_later()
    {
        var first = await OneReplica();
        _cluster.BecomeUnready(first, "10.0.0.1", Wrong);
        await _cluster.Settle();
        _cluster.EndTerminatingPods();
        await _cluster.Settle();
        var second = Assert.Single(_cluster.Replicas()).Name;
        _cluster.BecomeUnready(second, "10.0.0.2", Wrong);
        await _cluster.Settle();

        Assert.Null(_cluster.Server.All<V1Pod>().Single().Metadata.DeletionTimestamp);
        Assert.Equal("WrongResults", _cluster.Condition("Degraded").Reason);
        Assert.Single(Marks().Keys, key => key.StartsWith(GpuMarks.Prefix, StringComparison.Ordinal));

        _cluster.Time.Advance(TimeSpan.FromSeconds(10));
        await _cluster.Settle();
        Assert.Equal(2, Marks().Keys.Count(key => key.StartsWith(GpuMarks.Prefix, StringComparison.Ordinal)));
    }

    private IDictionary<string, string> Marks() => _cluster.Server.All<V1Node>().Single().Metadata.Annotations!;

    private async Task<string> OneReplica(int gpus = 8)
    {
        await Deploy(gpus, size: 1);
        return Assert.Single(_cluster.Replicas()).Name;
    }

    private async Task Deploy(int gpus, int size)
    {
        _cluster.Add(Given.Node("n1", gpus));
        _cluster.Add(Given.Deployment(change: spec => spec.TensorParallelSize = size));
        await _cluster.Finish();
    }
}
