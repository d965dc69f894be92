using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Several workers that plan at the same time, on real threads.</summary>
public sealed class ConcurrentPlacementTests
{
    [Fact]
    public void Plans_made_at_the_same_time_never_share_a_gpu()
    {
        ObjectStore<V1Pod> pods = new();
        ObjectStore<V1Node> nodes = new();
        Fleet fleet = new(pods, nodes, new PodsInFlight(TimeProvider.System), new GpuLedger([], []), _ => { });
        for (var i = 0; i < 16; i++)
        {
            var node = Given.Node($"n{i:d2}");
            nodes.Put(node);
            fleet.Observe(new ObjectChange<V1Node>(ChangeType.Added, null, node));
        }

        FakeKubernetesClient server = new();
        PodActions actions = new(
            server, fleet, new EventRecorder(server, "test", TimeProvider.System, Random.Shared, NullLogger.Instance), Random.Shared);
        Parallel.For(0, 48, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var deployment = Given.Deployment($"d{i}", s =>
            {
                s.Replicas = 2;
                s.TensorParallelSize = 1 << (i % 3);
            });
            var template = WorkerTemplate.For(deployment, Given.Options);
            actions.Prepare(deployment, template, PlanRequest.For(deployment, template, _ => null));
        });

        // 224 GPUs are asked for and 128 are there.
        List<string> booked = [
            .. nodes.List().SelectMany(n => fleet.On(n.Metadata.Name)).SelectMany(r => r.Gpus.Select(g => $"{r.Node}/{g}"))];
        Assert.Equal(booked.Count, booked.Distinct().Count());
        Assert.True(booked.Count > 100, $"only {booked.Count} of 128 GPUs are in use");
    }
}
