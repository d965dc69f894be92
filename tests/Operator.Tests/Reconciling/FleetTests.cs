using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class FleetTests
{
    private readonly ObjectStore<V1Pod> _pods = new();
    private readonly ObjectStore<V1Node> _nodes = new();
    private readonly List<bool> _freeToUse = [];
    private readonly Fleet _fleet;

    public FleetTests() => _fleet = new Fleet(_pods, _nodes, new PodsInFlight(new ManualTime()), new GpuLedger([], []), Woken);

    [Fact]
    public void Deployments_are_woken_after_the_lock_is_left()
    {
        _fleet.WaitForNodes(new NamespacedName("ns", "waiting"));
        var node = Given.Node("n1");
        _nodes.Put(node);
        _fleet.Observe(new ObjectChange<V1Node>(ChangeType.Added, null, node));
        _fleet.OfferAll();
        Assert.Equal([true], _freeToUse);
    }

    /// <summary>A thread that is woken must be able to look at the fleet at once, and the lock would let only this one in.</summary>
    private void Woken(NamespacedName key)
    {
        var other = new Thread(() => _fleet.Nodes());
        other.Start();
        _freeToUse.Add(other.Join(TimeSpan.FromSeconds(10)));
    }
}
