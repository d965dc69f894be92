using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class PlannerTests
{
    private static readonly V1Node[] OneNode = [Given.Node("n1")];

    [Fact]
    public void Creates_missing_replicas_each_on_gpus_of_its_own() =>
        Assert.Equal("+n1:0,1 +n1:2,3", Decide(Given.Request(replicas: 2, groupSize: 2)));

    [Fact]
    public void Does_nothing_when_everything_is_as_wanted() =>
        Assert.Equal("", Decide(Given.Request(replicas: 2), Given.Replica("a"), Given.Replica("b", gpus: "1", ready: false)));

    [Fact]
    public void Creates_as_many_as_fit_and_tells_what_the_rest_needs()
    {
        var plan = Plan(Given.Request(replicas: 3, groupSize: 3), OneNode);
        Assert.Equal(2, plan.Actions.Count);
        Assert.Contains(
            "needs 3 GPUs on one node in one XGMI hive; the largest free group is 2 (node n1: 2 free of 8)", plan.Shortage!.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Scales_down_the_unready_first_and_then_the_newest() =>
        Assert.Equal(
            "-c:ScaledDown -b:ScaledDown",
            Decide(Given.Request(replicas: 1), Given.Replica("a", gpus: "0", age: 9), Given.Replica("b", gpus: "1", age: 2),
                Given.Replica("c", gpus: "2", age: 5, ready: false)));

    [Fact]
    public void Scales_to_zero() =>
        Assert.Equal(
            "-a:ScaledDown -b:ScaledDown",
            Decide(Given.Request(replicas: 0), Given.Replica("a", gpus: "0"), Given.Replica("b", gpus: "1", hash: "old")));

    [Fact]
    public void Replaces_a_failed_pod_on_the_gpus_it_no_longer_holds() =>
        Assert.Equal("-a:Failed +n1:0", Decide(Given.Request(), Given.Replica("a", phase: "Failed")));

    [Fact]
    public void Leaves_a_failed_pod_alone_while_its_deployment_backs_off() =>
        Assert.Equal("", Decide(Given.Request(replaceFailed: false), Given.Replica("a", phase: "Failed")));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Forces_out_pods_whose_node_is_gone(bool terminating)
    {
        var plan = Plan(Given.Request(), OneNode, Given.Replica("a", node: "n0", terminating: terminating));
        Assert.Equal("-a:NodeGone +n1:0", Text(plan));
        Assert.True(plan.Actions.OfType<DeletePod>().Single().Force);
    }

    [Fact]
    public void A_terminating_pod_is_no_replica_but_keeps_its_gpus() =>
        Assert.Equal("+n1:1", Decide(Given.Request(), Given.Replica("a", terminating: true)));

    [Fact]
    public void A_pod_that_claims_an_older_pods_gpu_goes() =>
        Assert.Equal("-b:GpuConflict +n1:1", Decide(Given.Request(replicas: 2), Given.Replica("a", age: 5), Given.Replica("b", age: 1)));

    [Fact]
    public void A_rolling_update_gives_up_only_what_may_be_unavailable() =>
        Assert.Equal("-c:Outdated +n1:3", Decide(Given.Request(replicas: 3), Old("a", "0"), Old("b", "1"), Old("c", "2")));

    [Fact]
    public void A_rolling_update_waits_until_the_new_pod_is_ready()
    {
        Assert.Equal("", Decide(Given.Request(replicas: 3), Old("a", "0"), Old("b", "1"), Given.Replica("c", gpus: "2", ready: false)));
        Assert.Equal("-b:Outdated +n1:3", Decide(Given.Request(replicas: 3), Old("a", "0"), Old("b", "1"), Given.Replica("c", gpus: "2")));
    }

    [Fact]
    public void A_surge_creates_before_it_deletes()
    {
        var request = Given.Request(replicas: 2, maxUnavailable: 0, maxSurge: 1);
        Assert.Equal("+n1:2", Decide(request, Old("a", "0"), Old("b", "1")));
        Assert.Equal("", Decide(request, Old("a", "0"), Old("b", "1"), Given.Replica("c", gpus: "2", ready: false)));
        Assert.Equal("-b:Outdated +n1:3", Decide(request, Old("a", "0"), Old("b", "1"), Given.Replica("c", gpus: "2")));
    }

    [Fact]
    public void Outdated_pods_that_do_not_serve_are_the_first_to_go() =>
        Assert.Equal(
            "-b:Outdated +n1:3",
            Decide(Given.Request(replicas: 3), Old("a", "0"), Given.Replica("b", gpus: "1", hash: "old", ready: false), Old("c", "2")));

    [Fact]
    public void With_neither_surge_nor_unavailability_allowed_one_may_be_unavailable() =>
        Assert.Equal("-b:Outdated +n1:2", Decide(Given.Request(replicas: 2, maxUnavailable: 0, maxSurge: 0), Old("a", "0"), Old("b", "1")));

    [Fact]
    public void An_update_that_can_never_be_placed_leaves_the_old_pods_serving()
    {
        var plan = Plan(Given.Request(replicas: 2, groupSize: 16), OneNode, Old("a", "0"), Old("b", "1"));
        Assert.Empty(plan.Actions);
        Assert.Equal("InsufficientGpus", plan.Shortage!.Reason);
    }

    [Fact]
    public void An_update_that_fits_only_in_place_of_the_old_pods_goes_on() =>
        Assert.Equal("-a:Outdated", Decide(Given.Request(groupSize: 8), Given.Replica("a", gpus: "0,1,2,3,4,5,6,7", hash: "old")));

    [Fact]
    public void Scaled_down_during_a_rollout_keeps_what_serves()
    {
        Replica[] pods = [
            Old("a", "0"), Old("b", "1"), Old("c", "2"), Given.Replica("d", gpus: "3", ready: false),
            Given.Replica("e", gpus: "4", ready: false)];
        Assert.Equal("-c:Outdated -b:Outdated -e:ScaledDown", Decide(Given.Request(replicas: 2), pods));
    }

    [Fact]
    public void With_a_device_plugin_no_gpus_are_chosen()
    {
        var plan = Plan(Given.Request(replicas: 2, gpu: new GpuSpec { Allocation = GpuAllocation.DevicePlugin }), OneNode);
        Assert.Equal("+ +", Text(plan));
    }

    [Fact]
    public void New_pods_go_only_to_nodes_that_take_them() =>
        Assert.Equal("+n2:0", Text(Plan(Given.Request(), [Given.Node("n1", change: n => n.Spec.Unschedulable = true), Given.Node("n2")])));

    [Fact]
    public void A_cordon_does_not_evict() =>
        Assert.Equal("", Text(Plan(Given.Request(), [Given.Node("n1", change: n => n.Spec.Unschedulable = true)], Given.Replica("a"))));

    [Fact]
    public void A_pod_not_yet_started_on_a_node_that_was_cordoned_is_placed_elsewhere()
    {
        var waiting = Given.Pod("a", phase: "Pending");
        waiting.Spec.NodeName = null;
        Assert.Equal(
            "-a:NodeRefused +n2:0",
            Text(
                Plan(Given.Request(), [Given.Node("n1", change: n => n.Spec.Unschedulable = true), Given.Node("n2")],
                    Replica.Of(waiting))));
    }

    [Fact]
    public void Of_ready_pods_the_cheapest_then_the_least_loaded_then_the_newest_go()
    {
        var cheap = Given.Pod("a", gpus: "0", age: 9);
        cheap.Metadata.Annotations![ApiNames.DeletionCostAnnotation] = "-1";
        Replica[] pods = [
            Replica.Of(cheap), Given.Replica("b", gpus: "1", age: 8), Given.Replica("c", gpus: "2", age: 7),
            Given.Replica("d", gpus: "3", age: 1), Given.Replica("e", gpus: "4", age: 2, ready: false)];
        var request = Given.Request(replicas: 0) with { Loads = new Dictionary<string, double> { ["a"] = 50, ["b"] = 0, ["c"] = 3 } };
        Assert.Equal("-e:ScaledDown -a:ScaledDown -b:ScaledDown -c:ScaledDown -d:ScaledDown", Decide(request, pods));
        Assert.Equal("-e:ScaledDown -a:ScaledDown", Decide(request with { Replicas = 3 }, pods));
    }

    [Fact]
    public void A_rollout_in_place_waits_for_its_own_ending_pods_without_a_complaint()
    {
        Replica[] pods = [.. Enumerable.Range(0, 8).Select(i => Old($"p{i}", $"{i}"))];
        var plan = Plan(Given.Request(replicas: 8), OneNode, pods);
        Assert.Equal("-p7:Outdated", Text(plan));
        Assert.Null(plan.Shortage);
        pods[7] = Given.Replica("p7", gpus: "7", hash: "old", terminating: true);
        plan = Plan(Given.Request(replicas: 8), OneNode, pods);
        Assert.Equal("", Text(plan));
        Assert.Null(plan.Shortage);
    }

    [Fact]
    public void A_surge_happens_only_where_gpus_are_free()
    {
        Replica[] pods = [.. Enumerable.Range(0, 8).Select(i => Old($"p{i}", $"{i}"))];
        var inPlace = Plan(Given.Request(replicas: 8, maxUnavailable: 1, maxSurge: 2), OneNode, pods);
        Assert.Equal("-p7:Outdated", Text(inPlace));
        Assert.Null(inPlace.Shortage);
        Assert.Equal(
            "-p7:Outdated +n2:0 +n2:1 +n2:2",
            Text(Plan(Given.Request(replicas: 8, maxUnavailable: 1, maxSurge: 2), [Given.Node("n1"), Given.Node("n2")], pods)));

        var stuck = Plan(Given.Request(replicas: 8, maxUnavailable: 0, maxSurge: 1), OneNode, pods);
        Assert.Empty(stuck.Actions);
        Assert.EndsWith(
            "the rollout surges and needs spare GPUs (rollout.maxUnavailable: 1 would replace pods in place)", stuck.Shortage!.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_rollback_takes_the_pods_that_are_left_of_the_old_version()
    {
        // Two of three were replaced when the old spec is applied again: what was "old" is up to date now.
        Replica[] pods = [Given.Replica("a", gpus: "0"), Old("b", "1"), Given.Replica("c", gpus: "2", hash: "old", ready: false)];
        Assert.Equal("-c:Outdated +n1:3", Decide(Given.Request(replicas: 3), pods));
    }

    [Fact]
    public void Pods_of_a_node_that_stays_away_are_replaced_and_keep_its_gpus_until_it_says_otherwise()
    {
        var now = DateTimeOffset.UnixEpoch.AddDays(1);
        var request = Given.Request(replicas: 2) with { NodeLoss = Given.NodeLoss(TimeSpan.FromMinutes(5), now) };
        Replica[] pods = [Given.Replica("a", gpus: "0"), Given.Replica("b", "n2", "0")];

        V1Node[] away = [Given.UnreadyNode("n1", now.AddMinutes(-4)), Given.Node("n2")];
        Assert.Equal("", Text(Plan(request, away, pods)));

        away[0] = Given.UnreadyNode("n1", now.AddMinutes(-5));
        var plan = Plan(request, away, pods);
        Assert.Equal("-a:NodeLost +n2:1", Text(plan));
        Assert.False(plan.Actions.OfType<DeletePod>().Single().Force);

        // The node is back before its kubelet has ended the pod: GPU 0 is not given to anybody.
        Replica[] ending = [Given.Replica("a", gpus: "0", terminating: true), Given.Replica("b", "n2", "0"), Given.Replica("c", "n2", "1")];
        Assert.Equal(
            "+n1:1",
            Text(
                Plan(request with { Replicas = 3, NodeLoss = Given.NodeLoss(TimeSpan.FromMinutes(5), now.AddHours(1)) },
                    [Given.Node("n1"), Given.Node("n2", 2)], ending)));
    }

    /// <summary>With a device plugin no GPU has to be free for a pod to be made: the plan of a mistyped number must still be
    /// small.</summary>
    [Fact]
    public void A_plan_makes_no_more_pods_than_a_replica_set_would_in_one_go()
    {
        var request = Given.Request(replicas: int.MaxValue, maxSurge: 1, gpu: new GpuSpec { Allocation = GpuAllocation.DevicePlugin });
        Assert.Equal(500, Plan(request, OneNode).Actions.Count);
    }

    [Fact]
    public void A_surge_without_end_ends_no_pod()
    {
        Replica[] pods = [Given.Replica("a", ready: false)];
        Assert.Equal("+n1:1", Decide(Given.Request(replicas: 2, maxSurge: int.MaxValue), pods));
    }

    /// <summary>GPU 0 of eight has failed: the driver numbers the others anew, and their UUIDs stay.</summary>
    [Fact]
    public void GPUs_are_told_by_UUID_when_one_has_failed_and_the_others_have_moved_up()
    {
        List<GpuDevice> left = [.. Given.Gpus(8).Skip(1).Select(g => g with { Index = g.Index - 1 })];
        Replica[] pods = [.. Enumerable.Range(4, 4).Select(i => Pinned($"p{i}", i))];
        Assert.Equal("+n1:0 +n1:1 +n1:2", Text(Plan(Given.Request(replicas: 8), [Given.Node("n1", left)], pods)));

        // One that was pinned to what is gone is replaced, unless it still serves.
        Assert.Equal(
            "-p0:GpuGone +n1:0", Text(Plan(Given.Request(replicas: 2), [Given.Node("n1", left)], Pinned("p0", 0, ready: false), pods[0])));
        Assert.Equal("", Text(Plan(Given.Request(replicas: 2), [Given.Node("n1", left)], Pinned("p0", 0), pods[0])));
        Assert.Equal("", Text(Plan(Given.Request(replicas: 1), OneNode, Pinned("p0", 0, ready: false))));

        static Replica Pinned(string name, int index, bool ready = true)
        {
            var pod = Given.Pod(name, gpus: index.ToString(CultureInfo.InvariantCulture), ready: ready);
            pod.Metadata.Annotations![ApiNames.GpuUuidsAnnotation] = Given.Gpus(8)[index].Uuid!;
            return Replica.Of(pod);
        }
    }

    private static Replica Old(string name, string gpus) => Given.Replica(name, gpus: gpus, hash: "old");

    private static string Decide(PlanRequest request, params Replica[] pods) => Text(Plan(request, OneNode, pods));

    private static Plan Plan(PlanRequest request, V1Node[] nodes, params Replica[] pods) =>
        Planner.Decide(request, pods, new GpuLedger(nodes, pods));

    private static string Text(Plan plan) => string.Join(' ', plan.Actions.Select(a => a switch
    {
        CreatePod create => create.Placement is { } p ? $"+{p.Node}:{string.Join(',', p.Indices)}" : "+",
        DeletePod delete => $"-{delete.Pod.Name}:{delete.Reason}",
        _ => "?",
    }));
}
