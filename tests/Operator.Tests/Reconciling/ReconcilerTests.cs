using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class ReconcilerTests
{
    private readonly SimulatedCluster cluster = new();

    [Fact]
    public async Task A_new_deployment_gets_a_finalizer_services_pods_and_a_status()
    {
        await Given(replicas: 2);
        Assert.Contains(ApiNames.Finalizer, cluster.Deployment().Metadata.Finalizers!);
        Assert.Equal(["haiku", "haiku-pods"], cluster.Server.All<V1Service>().Select(s => s.Metadata.Name));
        JsonObject service = cluster.Server.Find<V1Service>("ns", "haiku")!;
        Assert.Equal("kubernetes.io/h2c", service["spec"]!["ports"]![1]!["appProtocol"]!.ToString());
        Assert.Equal("haiku", service["spec"]!["selector"]![ApiNames.DeploymentLabel]!.ToString());
        Assert.Equal("None", cluster.Server.Find<V1Service>("ns", "haiku-pods")!["spec"]!["clusterIP"]!.ToString());
        Assert.Equal(2, cluster.Replicas().Count);
        Assert.Equal("WaitingForReplicas", cluster.Condition("Progressing").Reason);

        cluster.StartAllPods();
        await cluster.Settle();
        ModelDeploymentStatus status = cluster.Deployment().Status!;
        Assert.Equal((2, 2, 2, 1L), (status.Replicas, status.ReadyReplicas, status.UpdatedReplicas, status.ObservedGeneration!.Value));
        Assert.Equal("serving.cluster.sh/model-deployment=haiku", status.Selector);
        Assert.Equal("haiku.ns.svc:50051", status.Endpoints!.Grpc);
        Assert.Equal("http://haiku.ns.svc:8000", status.Endpoints.Http);
        Assert.Equal(["0", "1"], status.Placements!.SelectMany(p => p.Gpus).Order());
        Assert.All(status.Placements!, p => Assert.True(p.Ready));
        Assert.Equal("True", cluster.Condition("Ready").Status);
        Assert.Equal(("False", "Complete"), (cluster.Condition("Progressing").Status, cluster.Condition("Progressing").Reason));
        Assert.Equal("False", cluster.Condition("Degraded").Status);
        Assert.Equal(("True", "2 replicas hold 2 GPUs"), (cluster.Condition("GpusAllocated").Status, cluster.Condition("GpusAllocated").Message));
    }

    [Fact]
    public async Task A_converged_deployment_is_left_alone()
    {
        await Given();
        cluster.StartAllPods();
        await cluster.Settle();
        int calls = cluster.Server.Calls.Count;
        Assert.Equal(ReconcileResult.Done, await cluster.Reconcile());
        Assert.Equal(calls, cluster.Server.Calls.Count);
    }

    [Fact]
    public async Task A_stale_pod_cache_neither_creates_nor_books_twice()
    {
        await Given(replicas: 0);
        cluster.Add(Reconciling.Given.Deployment("other"));
        await cluster.Settle("other");
        cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        cluster.Deliver();
        await cluster.Reconcile();
        await cluster.Reconcile();
        await cluster.Reconcile("other");
        Assert.Equal(2, cluster.Replicas().Count);
        Assert.Empty(cluster.SharedGpus());
    }

    [Fact]
    public async Task A_pod_whose_creation_got_no_answer_is_counted_until_it_is_known()
    {
        await Given(replicas: 0);
        cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        cluster.Deliver();
        cluster.Server.AfterWrite = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new IOException("reset"));
        await Assert.ThrowsAsync<IOException>(() => cluster.Reconcile());
        cluster.Server.AfterWrite = null;
        ReconcileResult result = await cluster.Reconcile();
        Assert.NotNull(result.RequeueAfter);
        Assert.Single(cluster.Replicas());
    }

    [Fact]
    public async Task A_pod_whose_creation_never_arrived_is_created_again_once_that_is_sure()
    {
        await Given(replicas: 0);
        cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        cluster.Deliver();
        cluster.Server.BeforeCall = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new IOException("unreachable"));
        await Assert.ThrowsAsync<IOException>(() => cluster.Reconcile());
        cluster.Server.BeforeCall = null;
        await cluster.Reconcile();
        Assert.Empty(cluster.Replicas());
        cluster.Time.Advance(PodsInFlight.Doubtful);
        await cluster.Reconcile();
        Assert.Single(cluster.Replicas());
    }

    [Fact]
    public async Task A_stale_cache_does_not_delete_again()
    {
        await Given(replicas: 3);
        cluster.StartAllPods();
        await cluster.Settle();
        cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 5);
        cluster.Deliver();
        await cluster.Reconcile();
        await cluster.Reconcile();
        await cluster.Reconcile();
        Assert.Equal(1, cluster.Replicas().Count(r => r.Terminating));
        Assert.Single(cluster.Server.Calls, c => c.StartsWith("delete Pod", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Deleting_waits_for_the_last_pod_before_it_lets_go()
    {
        await Given(replicas: 2);
        cluster.StartAllPods();
        await cluster.Settle();
        await cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        await cluster.Settle();
        Assert.All(cluster.Replicas(), r => Assert.True(r.Terminating));
        Assert.NotNull(cluster.Server.Find<ModelDeployment>("ns", "haiku"));
        cluster.EndTerminatingPods();
        await cluster.Settle();
        Assert.Null(cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    [Fact]
    public async Task An_invalid_spec_is_reported_once_and_leaves_the_pods_running_and_can_be_deleted()
    {
        await Given();
        cluster.StartAllPods();
        await cluster.Settle();
        cluster.ChangeSpec("haiku", s => s["model"]!["source"] = "s3://bucket");
        await cluster.Settle();
        Assert.Equal(("True", "InvalidSpec"), (cluster.Condition("Degraded").Status, cluster.Condition("Degraded").Reason));
        Assert.Contains("s3://bucket", cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Equal(2, cluster.Deployment().Status!.ObservedGeneration);
        Assert.Single(cluster.Replicas());
        Assert.Single(cluster.Events(), "InvalidSpec");
        await cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        await cluster.Settle();
        cluster.EndTerminatingPods();
        await cluster.Settle();
        Assert.Null(cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    [Fact]
    public async Task Missing_gpus_are_told_in_numbers_and_waited_for()
    {
        cluster.Add(Reconciling.Given.Node("local-0"));
        cluster.Add(Reconciling.Given.Deployment("first", s => s.TensorParallelSize = 6));
        await cluster.Settle("first");
        cluster.Add(Reconciling.Given.Deployment("haiku", s =>
        {
            s.TensorParallelSize = 3;
            s.Gpu.RequireSameHive = false;
        }));
        await cluster.Settle();
        Condition allocated = cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "InsufficientGpus"), (allocated.Status, allocated.Reason));
        Assert.Equal("needs 3 GPUs on one node; the largest free group is 2 (node local-0: 2 free of 8)", allocated.Message);
        Assert.Contains("InsufficientGpus", cluster.Events());
        await cluster.Server.DeleteAsync<ModelDeployment>("ns", "first", null, null, CancellationToken.None);
        await cluster.Settle("first");
        cluster.EndTerminatingPods();
        await cluster.Settle("first");
        await cluster.Settle();
        Assert.Equal("True", cluster.Condition("GpusAllocated").Status);
    }

    [Fact]
    public async Task A_refused_pod_is_reported_and_tried_again()
    {
        cluster.Server.BeforeCall = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new KubernetesException(403, "Forbidden", "exceeded quota: gpus"));
        cluster.Add(Reconciling.Given.Node("n1"));
        cluster.Add(Reconciling.Given.Deployment());
        cluster.Deliver();
        await cluster.Reconcile();
        cluster.Deliver();
        await Assert.ThrowsAsync<KubernetesException>(() => cluster.Reconcile());
        Assert.Equal(("True", "PodRefused", "exceeded quota: gpus"), (cluster.Condition("Degraded").Status, cluster.Condition("Degraded").Reason, cluster.Condition("Degraded").Message));
        cluster.Server.BeforeCall = null;
        await cluster.Settle();
        Assert.Single(cluster.Replicas());
        Assert.Equal("False", cluster.Condition("Degraded").Status);
    }

    [Fact]
    public async Task What_is_refused_once_is_not_asked_for_every_pod()
    {
        await Given(replicas: 0);
        cluster.Server.BeforeCall = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new KubernetesException(403, "Forbidden", "exceeded quota: gpus"));
        cluster.ChangeSpec("haiku", s => s["replicas"] = 8);
        cluster.Deliver();
        await Assert.ThrowsAsync<KubernetesException>(() => cluster.Reconcile());
        Assert.Single(cluster.Server.Calls, c => c.StartsWith("create Pod ", StringComparison.Ordinal));
        cluster.Server.BeforeCall = null;
        await cluster.Settle();
        Assert.Equal(8, cluster.Replicas().Count);
    }

    [Fact]
    public async Task Many_pods_created_or_deleted_at_once_are_one_event()
    {
        await Given(replicas: 8);
        cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await cluster.Settle();
        List<string> messages = [.. cluster.Server.All<Corev1Event>().Select(e => e.Message)];
        string created = Assert.Single(messages, m => m.StartsWith("created", StringComparison.Ordinal));
        Assert.StartsWith("created 8 pods: haiku-", created, StringComparison.Ordinal);
        Assert.Contains("on GPU 7 of node n1", created, StringComparison.Ordinal);
        Assert.StartsWith("deleted 6 pods: haiku-", Assert.Single(messages, m => m.StartsWith("deleted", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_alone_are_written_at_most_once_a_second()
    {
        await Given(replicas: 3);
        cluster.Time.Advance(TimeSpan.FromMinutes(1));
        List<string> pods = [.. cluster.Replicas().Select(r => r.Name)];
        cluster.StartPod(pods[0]);
        cluster.Deliver();
        await cluster.Reconcile();
        Assert.Equal(1, cluster.Deployment().Status!.ReadyReplicas);
        cluster.Time.Advance(TimeSpan.FromSeconds(0.25));
        cluster.StartPod(pods[1]);
        cluster.Deliver();
        Assert.Equal(TimeSpan.FromSeconds(0.75), (await cluster.Reconcile()).RequeueAfter);
        Assert.Equal(1, cluster.Deployment().Status!.ReadyReplicas);
        cluster.Time.Advance(TimeSpan.FromSeconds(0.75));
        Assert.Equal(ReconcileResult.Done, await cluster.Reconcile());
        Assert.Equal(2, cluster.Deployment().Status!.ReadyReplicas);

        // The last one turns a condition: that does not wait.
        cluster.StartPod(pods[2]);
        cluster.Deliver();
        await cluster.Reconcile();
        Assert.Equal("True", cluster.Condition("Ready").Status);
    }

    [Fact]
    public async Task Gpus_that_come_free_wake_only_who_waits_and_only_as_many_as_they_serve()
    {
        cluster.Add(Reconciling.Given.Node("n1"));
        foreach (string name in new[] { "first", "content", "waits", "waits-too" })
        {
            cluster.Add(Reconciling.Given.Deployment(name, s => s.TensorParallelSize = name == "content" ? 4 : name == "first" ? 4 : 3));
            await cluster.Settle(name);
        }

        cluster.Woken.Clear();
        cluster.ChangeSpec("first", s => s["replicas"] = 0);
        await cluster.Settle("first");
        Assert.Empty(cluster.Woken);
        cluster.EndTerminatingPods();
        cluster.Deliver();
        Assert.Equal(["ns/waits", "ns/waits-too"], cluster.Woken.Select(k => k.ToString()));
        await cluster.Settle("waits");
        cluster.Woken.Clear();
        await cluster.Settle("waits-too");
        Assert.Empty(cluster.Woken);
        Assert.Equal("InsufficientGpus", cluster.Condition("GpusAllocated", "waits-too").Reason);
    }

    [Fact]
    public async Task A_crashed_worker_says_why_in_the_degraded_condition()
    {
        await Given();
        string pod = cluster.Replicas()[0].Name;
        cluster.StartPod(pod, ready: false);
        cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["containerStatuses"] = JsonNode.Parse(
            """[{"name":"worker","restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error","message":"model folder '/models/x' does not exist"}}}]"""));
        await cluster.Settle();
        Assert.Equal("WorkerCrashed", cluster.Condition("Degraded").Reason);
        Assert.Equal($"pod {pod}: container worker exited with code 1, 2 restarts: model folder '/models/x' does not exist", cluster.Condition("Degraded").Message);

        cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["containerStatuses"]![0]!["lastState"]!["terminated"]!.AsObject().Remove("message"));
        await cluster.Settle();
        Assert.EndsWith($"2 restarts: last line of {pod}", cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_init_container_that_fails_is_a_problem_and_one_that_is_done_is_none()
    {
        await Given();
        string pod = cluster.Replicas()[0].Name;
        cluster.StartPod(pod, ready: false);
        cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["initContainerStatuses"] = JsonNode.Parse(
            """[{"name":"fetch","restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"check","restartCount":1,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":4,"reason":"Error"}}}]"""));
        await cluster.Settle();
        Assert.Equal($"pod {pod}: container check exited with code 4, 1 restart: last line of {pod}", cluster.Condition("Degraded").Message);

        cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["initContainerStatuses"]![1]!["state"] = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 0 } });
        await cluster.Settle();
        Assert.Equal("AsExpected", cluster.Condition("Degraded").Reason);
    }

    [Fact]
    public async Task Pods_that_fail_again_and_again_are_replaced_ever_more_slowly()
    {
        await Given();
        string first = cluster.Replicas()[0].Name;
        cluster.FailPod(first);
        await cluster.Settle();
        cluster.EndTerminatingPods();
        string second = Assert.Single(cluster.Replicas()).Name;
        Assert.NotEqual(first, second);
        cluster.FailPod(second);
        cluster.Deliver();
        Assert.Equal(TimeSpan.FromSeconds(10), (await cluster.Reconcile()).RequeueAfter);
        Assert.Equal(second, Assert.Single(cluster.Replicas()).Name);
        cluster.Time.Advance(TimeSpan.FromSeconds(10));
        await cluster.Settle();
        Assert.Equal(2, cluster.Replicas().Count);
    }

    [Fact]
    public async Task A_pod_on_a_node_that_vanished_is_replaced_elsewhere()
    {
        cluster.Add(Reconciling.Given.Node("n2"));
        await Given();
        cluster.StartAllPods();
        await cluster.Settle();
        string node = cluster.Replicas()[0].Node!;
        cluster.Server.Remove<V1Node>(null, node);
        await cluster.Settle();
        Assert.NotEqual(node, Assert.Single(cluster.Replicas()).Node);
    }

    [Fact]
    public async Task Somebody_elses_service_is_not_taken_over()
    {
        await cluster.Server.CreateAsync<V1Service>(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "haiku", ["namespace"] = "ns" } }, CancellationToken.None);
        await Given();
        Assert.Contains("service 'haiku' already exists", cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Null(cluster.Server.Find<V1Service>("ns", "haiku")!["spec"]);
    }

    [Fact]
    public async Task A_deleted_service_comes_back()
    {
        await Given();
        cluster.Server.Remove<V1Service>("ns", "haiku");
        await cluster.Settle();
        Assert.NotNull(cluster.Server.Find<V1Service>("ns", "haiku"));
    }

    [Fact]
    public async Task A_service_that_somebody_edited_is_put_right()
    {
        await Given();
        cluster.Server.Update<V1Service>("ns", "haiku", s => s["spec"]!["selector"]![ApiNames.DeploymentLabel] = "elsewhere");
        await cluster.Settle();
        Assert.Equal("haiku", cluster.Server.Find<V1Service>("ns", "haiku")!["spec"]!["selector"]![ApiNames.DeploymentLabel]!.ToString());
        int calls = cluster.Server.Calls.Count;
        await cluster.Reconcile();
        Assert.Equal(calls, cluster.Server.Calls.Count);
    }

    [Fact]
    public async Task A_transition_is_one_event_however_stale_the_cache_is()
    {
        await Given();
        cluster.StartAllPods();
        cluster.DeliverPods();
        await cluster.Reconcile();
        await cluster.Reconcile();
        await cluster.Reconcile();
        JsonObject ready = Assert.Single(cluster.Server.All<Corev1Event>().Select(e => cluster.Server.Find<Corev1Event>("ns", e.Metadata.Name)!), e => e["reason"]!.ToString() == "AllReplicasReady");
        Assert.Equal(1, ready["count"]!.GetValue<int>());
    }

    [Fact]
    public async Task The_transition_time_of_a_condition_moves_only_when_its_status_does()
    {
        await Given(replicas: 2);
        DateTimeOffset? before = cluster.Condition("Ready").LastTransitionTime;
        cluster.Time.Advance(TimeSpan.FromMinutes(1));
        cluster.StartPod(cluster.Replicas()[0].Name);
        await cluster.Settle();
        Assert.Equal("1 of 2 replicas ready", cluster.Condition("Ready").Message);
        Assert.Equal(before, cluster.Condition("Ready").LastTransitionTime);
        cluster.StartAllPods();
        await cluster.Settle();
        Assert.Equal(before + TimeSpan.FromMinutes(1), cluster.Condition("Ready").LastTransitionTime);
    }

    private async Task Given(int replicas = 1)
    {
        cluster.Add(Reconciling.Given.Node("n1"));
        cluster.Add(Reconciling.Given.Deployment(change: s => s.Replicas = replicas));
        await cluster.Settle();
    }

    private static void ThrowIf(bool condition, Exception exception)
    {
        if (condition)
        {
            throw exception;
        }
    }
}
