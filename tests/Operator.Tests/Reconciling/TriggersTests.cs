using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class TriggersTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly ObjectStore<V1Pod> _pods = new();
    private readonly ObjectStore<V1Node> _nodes = new();
    private readonly WorkQueue<NamespacedName> _queue;
    private readonly Fleet _fleet;
    private readonly Triggers _triggers;

    public TriggersTests()
    {
        _queue = new WorkQueue<NamespacedName>("test", _time, new MetricsRegistry());
        _fleet = new Fleet(_pods, _nodes, new PodsInFlight(_time), new GpuLedger([], []), _queue.Add);
        _triggers = new Triggers(_queue, _fleet);
        var pod = Given.Pod("haiku-1", node: "n1");
        _pods.Put(pod);
        _fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Added, null, pod));
    }

    public void Dispose() => _queue.Dispose();

    [Fact]
    public void A_node_that_changes_brings_back_who_has_pods_there()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Spec.Unschedulable = true));
        Assert.Equal(1, _queue.Count);
    }

    [Fact]
    public void A_node_whose_agent_reports_something_new_brings_back_who_has_pods_there()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Metadata.Annotations![NodeAnnotations.NumaBalancing] = "0"));
        Assert.Equal(1, _queue.Count);
    }

    [Fact]
    public void A_node_without_its_pods_is_nobodys_business()
    {
        Change(Given.Node("n2"), Given.Node("n2", change: n => n.Spec.Unschedulable = true));
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public void A_heartbeat_is_no_change()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Status!.Conditions![0].Message = "still alive"));
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Metadata.Annotations!["network.example/lease"] = "renewed"));
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public void A_pod_brings_back_its_owner_and_a_pod_of_somebody_else_nobody()
    {
        var foreign = Given.Pod("daemon");
        foreign.Metadata.OwnerReferences![0].Kind = "DaemonSet";
        _triggers.OnPod(new ObjectChange<V1Pod>(ChangeType.Added, null, foreign));
        Assert.Equal(0, _queue.Count);
        _triggers.OnPod(new ObjectChange<V1Pod>(ChangeType.Added, null, Given.Pod("haiku-2")));
        Assert.Equal(1, _queue.Count);
    }

    private void Change(V1Node before, V1Node now)
    {
        _nodes.Put(now);
        ObjectChange<V1Node> change = new(ChangeType.Updated, before, now);
        _fleet.Observe(change);
        _triggers.OnNode(change);
    }
}
