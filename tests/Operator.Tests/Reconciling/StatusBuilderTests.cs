using Cluster.Operator.Api;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class StatusBuilderTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, 500, TimeSpan.Zero);

    [Fact]
    public void Terminating_pods_are_no_replicas_but_keep_their_placement()
    {
        var status = Build(
            Given.Deployment(), Given.Replica("a", gpus: "0"), Given.Replica("b", gpus: "1", terminating: true),
            Given.Replica("c", gpus: "2", phase: "Failed"));
        Assert.Equal((1, 1, 1), (status.Replicas, status.ReadyReplicas, status.UpdatedReplicas));
        Assert.Equal(["a", "b"], status.Placements!.Select(p => p.Pod));
        Assert.Equal("ScalingDown", Find(status, "Progressing").Reason);
    }

    [Fact]
    public void A_rollout_counts_what_is_up_to_date()
    {
        var status = Build(Given.Deployment(change: s => s.Replicas = 2), Given.Replica("a"), Given.Replica("b", gpus: "1", hash: "old"));
        Assert.Equal(1, status.UpdatedReplicas);
        Assert.Equal(("True", "RollingOut"), (Find(status, "Progressing").Status, Find(status, "Progressing").Reason));
        Assert.Equal("True", Find(status, "Ready").Status);
    }

    [Fact]
    public void Zero_replicas_are_ready_and_need_no_gpus()
    {
        var status = Build(Given.Deployment(change: s => s.Replicas = 0));
        Assert.Equal("ScaledToZero", Find(status, "Ready").Reason);
        Assert.Equal(("True", "NotNeeded"), (Find(status, "GpusAllocated").Status, Find(status, "GpusAllocated").Reason));
        Assert.Equal("Complete", Find(status, "Progressing").Reason);
    }

    [Fact]
    public void With_a_device_plugin_the_kubelet_answers_for_the_gpus() =>
        Assert.Equal(
            "DevicePlugin",
            Find(Build(Given.Deployment(change: s => s.Gpu.Allocation = GpuAllocation.DevicePlugin), Given.Replica("a", gpus: null)),
                "GpusAllocated").Reason);

    [Fact]
    public void A_pod_the_scheduler_finds_no_gpus_for_says_so()
    {
        var pod = Given.Pod("a", node: null, gpus: null, phase: "Pending");
        pod.Status!.Conditions = [
            new V1PodCondition
            {
                Type = "PodScheduled",
                Status = "False",
                Reason = "Unschedulable",
                Message = "0/3 nodes are available: 3 Insufficient amd.com/gpu."
            }];
        var allocated = Find(
            Build(Given.Deployment(change: s => s.Gpu.Allocation = GpuAllocation.DevicePlugin), Replica.Of(pod)), "GpusAllocated");
        Assert.Equal(("False", "Unschedulable"), (allocated.Status, allocated.Reason));
        Assert.Contains("3 Insufficient amd.com/gpu", allocated.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "Unknown", "AwaitingNodeAgent")]
    [InlineData("0", "True", "NumaBalancingOff")]
    [InlineData("1", "False", "NumaBalancingOn")]
    public void Node_tuning_is_what_the_node_agent_reports(string? annotation, string value, string reason)
    {
        var node = Given.Node("n1");
        if (annotation is not null)
        {
            node.Metadata.Annotations![NodeAnnotations.NumaBalancing] = annotation;
        }

        var tuned = Find(Build(Given.Deployment(), node, Given.Replica("a")), "NodeTuned");
        Assert.Equal((value, reason), (tuned.Status, tuned.Reason));
        Assert.Equal(
            "Unmanaged",
            Find(Build(Given.Deployment(change: s => s.Tuning.NumaBalancing = NumaBalancing.Unmanaged), node, Given.Replica("a")),
                "NodeTuned").Reason);
    }

    [Theory]
    [InlineData("ImagePullBackOff", "Back-off pulling image", "ImagePullBackOff", "container worker is waiting: Back-off pulling image")]
    [InlineData("CreateContainerConfigError", "secret \"hf\" not found", "CreateContainerConfigError", "secret \"hf\" not found")]
    public void A_worker_that_cannot_start_degrades(string waiting, string message, string reason, string text)
    {
        var pod = Given.Pod("a", phase: "Pending");
        pod.Status!.ContainerStatuses = [
            new V1ContainerStatus
            {
                Name = "worker",
                State = new V1ContainerState { Waiting = new V1ContainerStateWaiting { Reason = waiting, Message = message } }
            }];
        var degraded = Find(Build(Given.Deployment(), Replica.Of(pod)), "Degraded");
        Assert.Equal(("True", reason), (degraded.Status, degraded.Reason));
        Assert.Contains(text, degraded.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_that_is_starting_does_not_degrade()
    {
        var pod = Given.Pod("a", phase: "Pending");
        pod.Status!.ContainerStatuses = [
            new V1ContainerStatus
            {
                Name = "worker",
                State = new V1ContainerState { Waiting = new V1ContainerStateWaiting { Reason = "ContainerCreating" } }
            }];
        Assert.Equal("False", Find(Build(Given.Deployment(), Replica.Of(pod)), "Degraded").Status);
    }

    [Fact]
    public void A_worker_that_crashed_and_serves_again_does_not_degrade()
    {
        var pod = Given.Pod("a");
        pod.Status!.ContainerStatuses = [
            new V1ContainerStatus
            {
                Name = "worker",
                RestartCount = 1,
                LastState = new V1ContainerState { Terminated = new V1ContainerStateTerminated { ExitCode = 1 } }
            }];
        Assert.Equal("False", Find(Build(Given.Deployment(), Replica.Of(pod)), "Degraded").Status);
    }

    [Fact]
    public void Out_of_memory_is_called_by_its_name_and_long_messages_keep_their_end()
    {
        var pod = Given.Pod("a", ready: false);
        var words = new string('x', 5000) + " the cause";
        pod.Status!.ContainerStatuses = [
            new V1ContainerStatus
            {
                Name = "worker",
                RestartCount = 1,
                LastState = new V1ContainerState
                {
                    Terminated = new V1ContainerStateTerminated { ExitCode = 137, Reason = "OOMKilled", Message = words }
                }
            }];
        var degraded = Find(Build(Given.Deployment(), Replica.Of(pod)), "Degraded");
        Assert.Equal("OutOfMemory", degraded.Reason);
        Assert.True(degraded.Message!.Length <= 1024);
        Assert.EndsWith("the cause", degraded.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pod_the_scheduler_cannot_place_degrades()
    {
        var pod = Given.Pod("a", phase: "Pending");
        pod.Status!.Conditions!.Add(
            new V1PodCondition { Type = "PodScheduled", Status = "False", Reason = "Unschedulable", Message = "Insufficient memory" });
        Assert.Equal(
            "pod a cannot be scheduled: Insufficient memory", Find(Build(Given.Deployment(), Replica.Of(pod)), "Degraded").Message);
    }

    [Fact]
    public void Conditions_of_others_stay_and_times_are_whole_seconds()
    {
        var deployment = Given.Deployment();
        deployment.Status = new ModelDeploymentStatus { Conditions = [new Condition { Type = "Audited", Status = "True" }] };
        var status = Build(deployment, Given.Replica("a"));
        Assert.Equal(["Audited", "Ready", "Progressing", "Degraded", "GpusAllocated", "NodeTuned"], status.Conditions!.Select(c => c.Type));
        Assert.Equal(0, Find(status, "Ready").LastTransitionTime!.Value.Millisecond);
        Assert.Equal(1, Find(status, "Ready").ObservedGeneration);
    }

    private static Condition Find(ModelDeploymentStatus status, string type) => status.Conditions!.Single(c => c.Type == type);

    private static ModelDeploymentStatus Build(ModelDeployment deployment, params Replica[] pods) =>
        Build(deployment, Given.Node("n1"), pods);

    private static ModelDeploymentStatus Build(ModelDeployment deployment, V1Node node, params Replica[] pods) =>
        StatusBuilder.Build(new Observation
        {
            Deployment = deployment,
            Pods = pods,
            TemplateHash = "new",
            FindNode = name => name == node.Metadata.Name ? node : null,
            Now = Now,
        });
}
