using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Page.Views;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Gateway.Page;

public sealed class ClusterViewTests
{
    [Fact]
    public void Tiles_show_who_holds_each_gpu_and_what_it_does()
    {
        var view = View(
            [Given.Node("n1", gpus: 8, hiveSize: 4)],
            Pod("haiku-a", gpus: "0,1"), Pod("haiku-b", gpus: "2", ready: false), Pod("haiku-c", gpus: "5", terminating: true));

        var node = Assert.Single(view.Nodes);

        Assert.Equal(["1", "2"], node.Hives.Select(hive => hive.Id));
        Assert.Equal(
            ["0 Serving ns/haiku-a", "1 Serving ns/haiku-a", "2 Starting ns/haiku-b", "3 Free ", "4 Free ", "5 Ending ns/haiku-c",
                "6 Free ", "7 Free "],
            Tiles(node).Select(tile => $"{tile.Index} {tile.State} {tile.Replica}"));
        Assert.All(Tiles(node).Where(tile => tile.Replica is not null), tile => Assert.Equal("ns/haiku", tile.Deployment));
        Assert.Equal((4, "8 × MI300X, 192 GiB each", "ready"), (node.Free, node.Summary, node.Words));
    }

    [Fact]
    public void A_marked_gpu_and_one_that_the_kubelet_has_no_more_are_neither_free()
    {
        var node = Given.PluginNode("n1", gpus: 4, unhealthy: 3);
        node.Metadata.Annotations[GpuMarks.KeyOf(Given.Gpus(4)[1], uuidsAreUnique: true)] = "2026-01-01T00:00:00Z pod ns/haiku-a";

        var tiles = Tiles(Assert.Single(View([node]).Nodes));

        Assert.Equal([GpuState.Free, GpuState.Marked, GpuState.Free, GpuState.Unhealthy], tiles.Select(tile => tile.State));
    }

    [Fact]
    public void Gpus_without_a_hive_stand_apart_and_are_named_by_what_is_known()
    {
        List<GpuDevice> gpus =
        [
            new() { Index = 0, DeviceId = "740f", Hive = "0", VramBytes = (64L << 30) - (100L << 20) },
            new() { Index = 1, Gfx = "gfx1100" },
            new() { Index = 2, DeviceId = "beef", Hive = "77" },
        ];

        var node = Assert.Single(View([Given.Node("n1", gpus)]).Nodes);

        Assert.Equal([null, "77"], node.Hives.Select(hive => hive.Id));
        Assert.Equal(["MI210", "gfx1100", "beef"], Tiles(node).Select(tile => tile.Name));
        Assert.Equal("1 × MI210, 64 GiB + 1 × gfx1100 + 1 × beef", node.Summary);
    }

    [Fact]
    public void Of_two_pods_that_claim_one_gpu_the_older_one_has_it()
    {
        var tiles = Tiles(Assert.Single(View(
            [Given.Node("n1", gpus: 1)], Pod("haiku-young", age: 1), Pod("haiku-old", age: 9)).Nodes));

        Assert.Equal("ns/haiku-old", Assert.Single(tiles).Replica);
    }

    [Fact]
    public void Nodes_in_trouble_say_so_and_nodes_of_no_interest_are_left_out()
    {
        var broken = Given.Node("broken", change: node => node.Metadata.Annotations[ApiNames.NodeGpusAnnotation] = "[");
        var cordoned = Given.Node("cordoned", change: node => node.Spec.Unschedulable = true);
        var away = Given.UnreadyNode("away", DateTimeOffset.UnixEpoch);
        V1Node plain = new() { Metadata = new V1ObjectMeta { Name = "plain" }, Spec = new V1NodeSpec() };

        var nodes = View([broken, cordoned, away, plain]).Nodes;

        Assert.Equal(["away", "broken", "cordoned"], nodes.Select(node => node.Name));
        Assert.Equal("not ready: its kubelet does not report", nodes[0].Words);
        Assert.Contains("is not a list of GPUs", nodes[1].Words, StringComparison.Ordinal);
        Assert.Equal("ready; cordoned, so that no new pod comes here", nodes[2].Words);
    }

    [Fact]
    public void A_replica_whose_gpus_the_kubelet_chose_is_a_guest_of_its_node()
    {
        var view = View([Given.Node("n1", gpus: 2)], Pod("haiku-a", gpus: null));

        var node = Assert.Single(view.Nodes);
        Assert.Equal(["ns/haiku-a"], node.Guests);
        Assert.Equal(2, node.Free);
    }

    [Fact]
    public void A_rollout_counts_who_is_of_the_current_spec()
    {
        var deployment = Given.Deployment(change: spec => spec.Replicas = 3);
        deployment.Status = new ModelDeploymentStatus { Replicas = 3, UpdatedReplicas = 1, ReadyReplicas = 2 };

        var view = Assert.Single(View(
            [deployment], [], Pod("haiku-a", hash: "old", age: 5), Pod("haiku-b", hash: "old", age: 4),
            Pod("haiku-c", hash: "new", age: 0, ready: false), Pod("haiku-d", hash: "old", terminating: true)).Deployments);

        Assert.Equal(new RolloutView(Wanted: 3, Ready: 2, Updated: 1, Outdated: 2), view.Rollout);
        Assert.False(view.Rollout.IsDone);
        Assert.Equal(
            ["haiku-a True Serving", "haiku-b True Serving", "haiku-c False Starting", "haiku-d True Ending"],
            view.Replicas.Select(replica => $"{replica.Pod} {replica.Outdated} {replica.State}"));
    }

    [Fact]
    public void Before_a_rollout_has_begun_all_replicas_are_outdated_and_after_it_none()
    {
        var deployment = Given.Deployment(change: spec => spec.Replicas = 1);
        deployment.Status = new ModelDeploymentStatus { Replicas = 1, UpdatedReplicas = 0 };
        Assert.Equal(new RolloutView(1, 1, 0, 1), Assert.Single(View([deployment], [], Pod("haiku-a")).Deployments).Rollout);

        deployment.Status = new ModelDeploymentStatus { Replicas = 1, UpdatedReplicas = 1 };
        Assert.True(Assert.Single(View([deployment], [], Pod("haiku-a")).Deployments).Rollout.IsDone);
    }

    [Theory]
    [InlineData("Ready", "True", "AllReplicasReady", Tone.Good, "Serving")]
    [InlineData("Ready", "True", "ScaledToZero", Tone.Quiet, "At zero")]
    [InlineData("Ready", "False", "ReplicasNotReady", Tone.Busy, "Not all serving")]
    [InlineData("Progressing", "True", "RollingOut", Tone.Busy, "Changing")]
    [InlineData("Progressing", "False", "Complete", Tone.Good, "Up to date")]
    [InlineData("Progressing", "False", "InsufficientGpus", Tone.Bad, "Stuck")]
    [InlineData("Degraded", "True", "WorkerCrashed", Tone.Bad, "Needs attention")]
    [InlineData("Degraded", "False", "AsExpected", Tone.Good, "Healthy")]
    [InlineData("GpusAllocated", "False", "InsufficientGpus", Tone.Bad, "Lacks GPUs")]
    [InlineData("Preloaded", "False", "Downloading", Tone.Quiet, "Not Preloaded")]
    [InlineData("Ready", "Unknown", null, Tone.Quiet, "Ready unknown")]
    public void A_condition_has_words_and_a_tone(string type, string status, string? reason, object tone, string title)
    {
        var view = ConditionView.From(new Condition { Type = type, Status = status, Reason = reason, Message = "why it is so" });

        Assert.Equal((tone, title, "why it is so"), (view.Tone, view.Title, view.Words));
    }

    [Fact]
    public void The_headline_is_the_worst_there_is_to_know()
    {
        Condition ready = new() { Type = "Ready", Status = "False", Message = "1 of 2 replicas ready" };
        Condition progressing = new() { Type = "Progressing", Status = "True", Reason = "RollingOut", Message = "rolling" };
        Condition degraded = new() { Type = "Degraded", Status = "True", Reason = "WorkerCrashed", Message = "pod x exited" };

        Assert.Equal((Tone.Bad, "pod x exited"), Headline(ready, progressing, degraded));
        Assert.Equal((Tone.Busy, "rolling"), Headline(ready, progressing));
        Assert.Equal((Tone.Busy, "1 of 2 replicas ready"), Headline(ready));
        Assert.Equal((Tone.Busy, "not looked at by the operator yet"), Headline());

        static (Tone, string) Headline(params List<Condition> conditions)
        {
            var deployment = Given.Deployment();
            deployment.Status = new ModelDeploymentStatus { Conditions = conditions };
            var view = Assert.Single(View([deployment], []).Deployments);
            return (view.Tone, view.Words);
        }
    }

    [Fact]
    public void A_replica_in_trouble_says_why()
    {
        var pod = Pod("haiku-a", ready: false);
        pod.Status.ContainerStatuses =
        [
            new V1ContainerStatus
            {
                Name = "worker",
                RestartCount = 2,
                State = new V1ContainerState { Waiting = new V1ContainerStateWaiting { Reason = "CrashLoopBackOff" } },
                LastState = new V1ContainerState { Terminated = new V1ContainerStateTerminated { ExitCode = 137 } },
            },
        ];

        var view = View([Given.Deployment()], [Given.Node("n1", gpus: 1)], pod);

        var replica = Assert.Single(Assert.Single(view.Deployments).Replicas);
        Assert.Equal((ReplicaPhase.Failing, 2), (replica.State, replica.Restarts));
        Assert.Contains("exited with code 137", replica.Words, StringComparison.Ordinal);
        Assert.Equal(GpuState.Failing, Assert.Single(Tiles(Assert.Single(view.Nodes))).State);
    }

    [Fact]
    public void The_latest_events_come_first_and_not_more_than_a_page_of_them()
    {
        var events = Enumerable.Range(0, 100).Select(i => new Corev1Event
        {
            Metadata = new V1ObjectMeta { Name = $"e{i}", NamespaceProperty = "ns" },
            InvolvedObject = new V1ObjectReference { Name = "haiku", NamespaceProperty = "ns" },
            Type = i % 2 == 0 ? "Warning" : "Normal",
            Reason = "RollingOut",
            Message = $"message {i}",
            LastTimestamp = DateTime.UnixEpoch.AddMinutes(i),
        });

        var view = ClusterView.From([], [], [], events);

        Assert.Equal(ClusterView.MostEvents, view.Events.Count);
        Assert.Equal(("message 99", false, "ns/haiku"), (view.Events[0].Words, view.Events[0].Warning, view.Events[0].About));
    }

    private static V1Pod Pod(
        string name, string? gpus = "0", string hash = "new", bool ready = true, bool terminating = false, int age = 0)
    {
        var pod = Given.Pod(name, "n1", gpus, hash, ready, terminating: terminating, age: age);
        pod.Metadata.Labels[ApiNames.DeploymentLabel] = "haiku";
        return pod;
    }

    private static IReadOnlyList<GpuView> Tiles(NodeView node) => [.. node.Hives.SelectMany(hive => hive.Gpus).OrderBy(gpu => gpu.Index)];

    private static ClusterView View(IEnumerable<V1Node> nodes, params V1Pod[] pods) => View([Given.Deployment()], nodes, pods);

    private static ClusterView View(IEnumerable<ModelDeployment> deployments, IEnumerable<V1Node> nodes, params V1Pod[] pods) =>
        ClusterView.From(deployments, pods, nodes, []);
}
