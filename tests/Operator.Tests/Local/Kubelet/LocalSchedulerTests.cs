using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Local.Kubelet;

public sealed class LocalSchedulerTests
{
    [Fact]
    public async Task A_pod_that_claims_devices_is_not_bound_and_is_told_that_local_mode_has_no_driver()
    {
        FakeKubernetesClient server = new();
        await server.CreateAsync<V1Node>(KubernetesJson.ToJsonObject(Given.Node("local")), CancellationToken.None);
        var deployment = Given.Deployment(change: s => s.Gpu.Allocation = GpuAllocation.ResourceClaim);
        await server.CreateAsync<V1Pod>(
            WorkerPod.Build(WorkerTemplate.For(deployment, Given.Options), deployment.Spec, "p", null), CancellationToken.None);
        List<string> bound = [];
        LocalScheduler scheduler = new(
            server, (_, pod, _, _) =>
            {
                bound.Add(pod);
                return Task.CompletedTask;
            },
            "local", TimeProvider.System, NullLogger.Instance);
        using CancellationTokenSource stop = new();
        var running = scheduler.RunAsync(stop.Token);
        await Eventually.True(() => server.All<V1Pod>()[0].Status?.Conditions is { Count: > 0 }, "it is looked at");
        var condition = server.All<V1Pod>()[0].Status!.Conditions!.Single();
        Assert.Equal("Unschedulable", condition.Reason);
        Assert.Contains("Local mode has no DRA driver", condition.Message, StringComparison.Ordinal);
        Assert.Empty(bound);
        await stop.CancelAsync();
        await running;
    }
}
