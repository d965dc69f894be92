using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class TriggersTests : IDisposable
{
    private readonly ManualTime time = new();
    private readonly ObjectStore<V1Pod> pods = new();
    private readonly ObjectStore<V1Node> nodes = new();
    private readonly WorkQueue<NamespacedName> queue;
    private readonly Fleet fleet;
    private readonly Triggers triggers;

    public TriggersTests()
    {
        queue = new WorkQueue<NamespacedName>("test", time, new MetricsRegistry());
        fleet = new Fleet(pods, nodes, new PodsInFlight(time), new GpuLedger([], []), queue.Add);
        triggers = new Triggers(queue, fleet);
        V1Pod pod = Given.Pod("haiku-1", node: "n1");
        pods.Put(pod);
        fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Added, null, pod));
    }

    public void Dispose() => queue.Dispose();

    [Fact]
    public void A_node_that_changes_brings_back_who_has_pods_there()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Spec.Unschedulable = true));
        Assert.Equal(1, queue.Count);
    }

    [Fact]
    public void A_node_whose_agent_reports_something_new_brings_back_who_has_pods_there()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Metadata.Annotations![NodeAnnotations.NumaBalancing] = "0"));
        Assert.Equal(1, queue.Count);
    }

    [Fact]
    public void A_node_without_its_pods_is_nobodys_business()
    {
        Change(Given.Node("n2"), Given.Node("n2", change: n => n.Spec.Unschedulable = true));
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void A_heartbeat_is_no_change()
    {
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Status!.Conditions![0].Message = "still alive"));
        Change(Given.Node("n1"), Given.Node("n1", change: n => n.Metadata.Annotations!["network.example/lease"] = "renewed"));
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void A_pod_brings_back_its_owner_and_a_pod_of_somebody_else_nobody()
    {
        V1Pod foreign = Given.Pod("daemon");
        foreign.Metadata.OwnerReferences![0].Kind = "DaemonSet";
        triggers.OnPod(new ObjectChange<V1Pod>(ChangeType.Added, null, foreign));
        Assert.Equal(0, queue.Count);
        triggers.OnPod(new ObjectChange<V1Pod>(ChangeType.Added, null, Given.Pod("haiku-2")));
        Assert.Equal(1, queue.Count);
    }

    private void Change(V1Node before, V1Node now)
    {
        nodes.Put(now);
        ObjectChange<V1Node> change = new(ChangeType.Updated, before, now);
        fleet.Observe(change);
        triggers.OnNode(change);
    }
}
