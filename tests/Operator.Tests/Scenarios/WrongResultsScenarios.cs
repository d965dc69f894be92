using Cluster.Common;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>A worker that has seen that its GPU computes wrong results, and says so where it is asked for readiness.</summary>
public sealed class WrongResultsScenarios(ApiServerUnderTest server)
{
    private const string Answer =
        """{"status":"wrong-results","devices":["GPU-1"],"reason":"WrongResults","message":"another digest than at start"}""";

    [Fact]
    public async Task It_is_drained_and_replaced_and_its_gpu_waits_for_a_person()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 2);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var wrong = cluster.Observer.Active("llm")[0];
        cluster.Kubelet.Ends = pod => pod.Metadata.Name != wrong.Name;

        await using var worker = new UnreadyWorker(Answer, WorkerFlags.DefaultHttpPort);
        await cluster.Kubelet.BecomeUnreadyAsync(wrong.Name, worker.Address);

        await cluster.UntilConditionAsync("llm", "Degraded", "True", WorkerReasons.WrongResults);
        Assert.Contains("another digest than at start", cluster.Observer.Condition("llm", "Degraded")!.Message, StringComparison.Ordinal);
        await cluster.UntilAsync(
            () => cluster.Observer.Pod(wrong.Name)?.Metadata.DeletionTimestamp is not null, "the worker is told to drain");
        Assert.NotEqual(0, cluster.Observer.Pod(wrong.Name)!.Metadata.DeletionGracePeriodSeconds);
        var marked = await cluster.Client.GetAsync<V1Node>(null, wrong.Node!, CancellationToken.None);
        var mark = Assert.Single(marked.Metadata.Annotations, a => a.Key.StartsWith(GpuMarks.Prefix, StringComparison.Ordinal));
        Assert.EndsWith($" pod {cluster.Namespace}/{wrong.Name}", mark.Value, StringComparison.Ordinal);

        cluster.Kubelet.Ends = _ => true;
        cluster.Kubelet.LookAgain();
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "False", "InsufficientGpus");
        await cluster.UntilConditionAsync("llm", "Degraded", "False");
        Assert.Single(cluster.Observer.Active("llm"));

        await cluster.PatchNodeAsync("n1", $$"""{"metadata": {"annotations": {"{{mark.Key}}": null} } }""");
        await cluster.UntilReadyAsync("llm", 2);
    }
}
