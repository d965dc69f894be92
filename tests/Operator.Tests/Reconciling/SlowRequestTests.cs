using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Requests that the API server makes wait (429 and Retry-After, a full queue) while other deployments go on.</summary>
public sealed class SlowRequestTests
{
    private readonly SimulatedCluster cluster = new();

    [Fact]
    public async Task A_gpu_stays_booked_for_a_pod_whose_creation_is_still_being_tried()
    {
        cluster.Add(Given.Node("n1", gpus: 1));
        cluster.Add(Given.Deployment("haiku", s => s.Replicas = 0));
        cluster.Add(Given.Deployment("other", s => s.Replicas = 0));
        await cluster.Settle("haiku");
        await cluster.Settle("other");
        cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        cluster.ChangeSpec("other", s => s["replicas"] = 1);
        cluster.Deliver();

        MeanwhileOnce("create", () => cluster.Reconcile("other"));
        await cluster.Reconcile("haiku");
        Assert.Single(cluster.Replicas("haiku"));
        Assert.Empty(cluster.Replicas("other"));
        Assert.Empty(cluster.SharedGpus());
    }

    [Fact]
    public async Task A_pod_whose_deletion_is_still_being_tried_counts_as_ending()
    {
        cluster.Add(Given.Node("n1"));
        cluster.Add(Given.Deployment("haiku", s => s.Replicas = 2));
        cluster.Add(Given.Deployment("other", s => s.Replicas = 0));
        await cluster.Settle("haiku");
        await cluster.Settle("other");
        cluster.StartAllPods();
        await cluster.Settle("haiku");
        cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 5);
        cluster.Deliver();

        int ending = 0;
        MeanwhileOnce("delete", async () =>
        {
            await cluster.Reconcile("other");
            ending = cluster.Fleet.OwnedBy("uid-of-haiku").Count(p => p.Terminating);
        });
        await cluster.Reconcile("haiku");
        Assert.Equal(1, ending);
    }

    /// <summary>While the next request of this kind about a pod is on its way, a long time passes and something else happens.</summary>
    private void MeanwhileOnce(string verb, Func<Task> happen) => cluster.Server.BeforeCall = (called, kind, _) =>
    {
        if (called == verb && kind == "Pod")
        {
            cluster.Server.BeforeCall = null;
            cluster.Time.Advance(2 * PodsInFlight.Doubtful);
            Task happening = happen();
            Assert.True(happening.IsCompleted); // The fake server answers at once.
            happening.GetAwaiter().GetResult();
        }
    };
}
