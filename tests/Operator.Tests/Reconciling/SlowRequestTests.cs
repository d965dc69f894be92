using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Requests that the API server makes wait (429 and Retry-After, a full queue) while other deployments go on.</summary>
public sealed class SlowRequestTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task A_gpu_stays_booked_for_a_pod_whose_creation_is_still_being_tried()
    {
        _cluster.Add(Given.Node("n1", gpus: 1));
        _cluster.Add(Given.Deployment("haiku", s => s.Replicas = 0));
        _cluster.Add(Given.Deployment("other", s => s.Replicas = 0));
        await _cluster.Settle("haiku");
        await _cluster.Settle("other");
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        _cluster.ChangeSpec("other", s => s["replicas"] = 1);
        _cluster.Deliver();

        MeanwhileOnce("create", () => _cluster.Reconcile("other"));
        await _cluster.Reconcile("haiku");
        Assert.Single(_cluster.Replicas("haiku"));
        Assert.Empty(_cluster.Replicas("other"));
        Assert.Empty(_cluster.SharedGpus());
    }

    [Fact]
    public async Task A_pod_whose_deletion_is_still_being_tried_counts_as_ending()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Deployment("haiku", s => s.Replicas = 2));
        _cluster.Add(Given.Deployment("other", s => s.Replicas = 0));
        await _cluster.Settle("haiku");
        await _cluster.Settle("other");
        _cluster.StartAllPods();
        await _cluster.Settle("haiku");
        _cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 5);
        _cluster.Deliver();

        var ending = 0;
        MeanwhileOnce("delete", async () =>
        {
            await _cluster.Reconcile("other");
            ending = _cluster.Fleet.OwnedBy("uid-of-haiku").Count(p => p.Terminating);
        });
        await _cluster.Reconcile("haiku");
        Assert.Equal(1, ending);
    }

    /// <summary>While the next request of this kind about a pod is on its way, a long time passes and something else happens.</summary>
    private void MeanwhileOnce(string verb, Func<Task> happen) => _cluster.Server.BeforeCall = (called, kind, _) =>
    {
        if (called == verb && kind == "Pod")
        {
            _cluster.Server.BeforeCall = null;
            _cluster.Time.Advance(2 * PodsInFlight.Doubtful);
            var happening = happen();
            Assert.True(happening.IsCompleted); // The fake server answers at once.
            happening.GetAwaiter().GetResult();
        }
    };
}
