using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>A status that may not be written: nothing can tell it but an event.</summary>
public sealed class RefusedStatusTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task It_is_tried_once_and_told_once_and_the_pods_are_made_all_the_same()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment());
        _cluster.Deliver();
        await _cluster.Reconcile();
        _cluster.Deliver();
        _cluster.Server.BeforeCall = (verb, _, _) =>
        {
            if (verb == "patch/status")
            {
                throw new KubernetesException(403, "Forbidden", "modeldeployments/status is forbidden");
            }
        };

        var result = await _cluster.Reconcile();
        Assert.Equal("modeldeployments/status is forbidden", result.Problem);
        Assert.NotNull(result.RequeueAfter);
        Assert.Single(_cluster.Server.Calls, call => call.StartsWith("patch/status", StringComparison.Ordinal));
        Assert.Single(
            _cluster.Server.All<Corev1Event>(),
            e => e.Message == "the status cannot be written: modeldeployments/status is forbidden" && e.Count is null or 1);
        Assert.Single(_cluster.Replicas());

        _cluster.Server.BeforeCall = null;
        await _cluster.Finish();
        Assert.Equal("True", _cluster.Condition("Ready").Status);
    }
}
