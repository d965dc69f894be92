using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class ReconcilerTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task A_new_deployment_gets_a_finalizer_services_pods_and_a_status()
    {
        await Given(replicas: 2);
        Assert.Contains(ApiNames.Finalizer, _cluster.Deployment().Metadata.Finalizers!);
        Assert.Equal(["haiku", "haiku-pods"], _cluster.Server.All<V1Service>().Select(s => s.Metadata.Name));
        var service = _cluster.Server.Find<V1Service>("ns", "haiku")!;
        Assert.Equal("kubernetes.io/h2c", service["spec"]!["ports"]![1]!["appProtocol"]!.ToString());
        Assert.Equal("haiku", service["spec"]!["selector"]![ApiNames.DeploymentLabel]!.ToString());
        Assert.Equal("None", _cluster.Server.Find<V1Service>("ns", "haiku-pods")!["spec"]!["clusterIP"]!.ToString());
        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Equal("WaitingForReplicas", _cluster.Condition("Progressing").Reason);

        _cluster.StartAllPods();
        await _cluster.Settle();
        var status = _cluster.Deployment().Status!;
        Assert.Equal((2, 2, 2, 1L), (status.Replicas, status.ReadyReplicas, status.UpdatedReplicas, status.ObservedGeneration!.Value));
        Assert.Equal("serving.cluster.sh/model-deployment=haiku", status.Selector);
        Assert.Equal("haiku.ns.svc:50051", status.Endpoints!.Grpc);
        Assert.Equal("http://haiku.ns.svc:8000", status.Endpoints.Http);
        Assert.Equal(["0", "1"], status.Placements!.SelectMany(p => p.Gpus).Order());
        Assert.All(status.Placements!, p => Assert.True(p.Ready));
        Assert.Equal("True", _cluster.Condition("Ready").Status);
        Assert.Equal(("False", "Complete"), (_cluster.Condition("Progressing").Status, _cluster.Condition("Progressing").Reason));
        Assert.Equal("False", _cluster.Condition("Degraded").Status);
        Assert.Equal(
            ("True", "2 replicas hold 2 GPUs"), (_cluster.Condition("GpusAllocated").Status, _cluster.Condition("GpusAllocated").Message));
    }

    [Fact]
    public async Task A_converged_deployment_is_left_alone()
    {
        await Given();
        _cluster.StartAllPods();
        await _cluster.Settle();
        var calls = _cluster.Server.Calls.Count;
        Assert.Equal(ReconcileResult.Done, await _cluster.Reconcile());
        Assert.Equal(calls, _cluster.Server.Calls.Count);
    }

    [Fact]
    public async Task A_stale_pod_cache_neither_creates_nor_books_twice()
    {
        await Given(replicas: 0);
        _cluster.Add(Reconciling.Given.Deployment("other"));
        await _cluster.Settle("other");
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        _cluster.Deliver();
        await _cluster.Reconcile();
        await _cluster.Reconcile();
        await _cluster.Reconcile("other");
        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Empty(_cluster.SharedGpus());
    }

    [Fact]
    public async Task A_pod_whose_creation_got_no_answer_is_counted_until_it_is_known()
    {
        await Given(replicas: 0);
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        _cluster.Deliver();
        _cluster.Server.AfterWrite = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new IOException("reset"));
        await Assert.ThrowsAsync<IOException>(() => _cluster.Reconcile());
        _cluster.Server.AfterWrite = null;
        var result = await _cluster.Reconcile();
        Assert.NotNull(result.RequeueAfter);
        Assert.Single(_cluster.Replicas());
    }

    [Fact]
    public async Task A_pod_whose_creation_never_arrived_is_created_again_once_that_is_sure()
    {
        await Given(replicas: 0);
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 1);
        _cluster.Deliver();
        _cluster.Server.BeforeCall = (verb, kind, _) => ThrowIf(verb == "create" && kind == "Pod", new IOException("unreachable"));
        await Assert.ThrowsAsync<IOException>(() => _cluster.Reconcile());
        _cluster.Server.BeforeCall = null;
        await _cluster.Reconcile();
        Assert.Empty(_cluster.Replicas());
        _cluster.Time.Advance(PodsInFlight.Doubtful);
        await _cluster.Reconcile();
        Assert.Single(_cluster.Replicas());
    }

    [Fact]
    public async Task A_stale_cache_does_not_delete_again()
    {
        await Given(replicas: 3);
        _cluster.StartAllPods();
        await _cluster.Settle();
        _cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 5);
        _cluster.Deliver();
        await _cluster.Reconcile();
        await _cluster.Reconcile();
        await _cluster.Reconcile();
        Assert.Equal(1, _cluster.Replicas().Count(r => r.Terminating));
        Assert.Single(_cluster.Server.Calls, c => c.StartsWith("delete Pod", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Deleting_waits_for_the_last_pod_before_it_lets_go()
    {
        await Given(replicas: 2);
        _cluster.StartAllPods();
        await _cluster.Settle();
        await _cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        await _cluster.Settle();
        Assert.All(_cluster.Replicas(), r => Assert.True(r.Terminating));
        Assert.NotNull(_cluster.Server.Find<ModelDeployment>("ns", "haiku"));
        _cluster.EndTerminatingPods();
        await _cluster.Settle();
        Assert.Null(_cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    [Fact]
    public async Task An_invalid_spec_is_reported_once_and_leaves_the_pods_running_and_can_be_deleted()
    {
        await Given();
        _cluster.StartAllPods();
        await _cluster.Settle();
        _cluster.ChangeSpec("haiku", s => s["model"]!["source"] = "s3://bucket");
        await _cluster.Settle();
        Assert.Equal(("True", "InvalidSpec"), (_cluster.Condition("Degraded").Status, _cluster.Condition("Degraded").Reason));
        Assert.Contains("s3://bucket", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Equal(2, _cluster.Deployment().Status!.ObservedGeneration);
        Assert.Single(_cluster.Replicas());
        Assert.Single(_cluster.Events(), "InvalidSpec");
        await _cluster.Server.DeleteAsync<ModelDeployment>("ns", "haiku", null, null, CancellationToken.None);
        await _cluster.Settle();
        _cluster.EndTerminatingPods();
        await _cluster.Settle();
        Assert.Null(_cluster.Server.Find<ModelDeployment>("ns", "haiku"));
    }

    [Fact]
    public async Task Missing_gpus_are_told_in_numbers_and_waited_for()
    {
        _cluster.Add(Reconciling.Given.Node("local-0"));
        _cluster.Add(Reconciling.Given.Deployment("first", s => s.TensorParallelSize = 6));
        await _cluster.Settle("first");
        _cluster.Add(Reconciling.Given.Deployment("haiku", s =>
        {
            s.TensorParallelSize = 3;
            s.Gpu.RequireSameHive = false;
        }));
        await _cluster.Settle();
        var allocated = _cluster.Condition("GpusAllocated");
        Assert.Equal(("False", "InsufficientGpus"), (allocated.Status, allocated.Reason));
        Assert.Equal("needs 3 GPUs on one node; the largest free group is 2 (node local-0: 2 free of 8)", allocated.Message);
        Assert.Contains("InsufficientGpus", _cluster.Events());
        await _cluster.Server.DeleteAsync<ModelDeployment>("ns", "first", null, null, CancellationToken.None);
        await _cluster.Settle("first");
        _cluster.EndTerminatingPods();
        await _cluster.Settle("first");
        await _cluster.Settle();
        Assert.Equal("True", _cluster.Condition("GpusAllocated").Status);
    }

    [Fact]
    public async Task A_refused_pod_is_reported_and_tried_again()
    {
        _cluster.Server.BeforeCall = (verb, kind, _) =>
            ThrowIf(verb == "create" && kind == "Pod", new KubernetesException(403, "Forbidden", "exceeded quota: gpus"));
        _cluster.Add(Reconciling.Given.Node("n1"));
        _cluster.Add(Reconciling.Given.Deployment());
        _cluster.Deliver();
        await _cluster.Reconcile();
        _cluster.Deliver();
        var result = await _cluster.Reconcile();
        Assert.Equal(("exceeded quota: gpus", TimeSpan.FromMilliseconds(250)), (result.Problem, result.RequeueAfter));
        Assert.Equal(
            ("True", "PodRefused", "exceeded quota: gpus"),
            (_cluster.Condition("Degraded").Status, _cluster.Condition("Degraded").Reason, _cluster.Condition("Degraded").Message));

        // Whatever wakes it before its time, it asks for nothing and goes on saying what is wrong.
        _cluster.Server.BeforeCall = null;
        await _cluster.Settle();
        Assert.Empty(_cluster.Replicas());
        Assert.Equal("PodRefused", _cluster.Condition("Degraded").Reason);
        _cluster.Time.Advance(TimeSpan.FromMilliseconds(250));
        await _cluster.Settle();
        Assert.Single(_cluster.Replicas());
        Assert.Equal("False", _cluster.Condition("Degraded").Status);
    }

    [Fact]
    public async Task What_is_refused_once_is_not_asked_for_every_pod()
    {
        await Given(replicas: 0);
        _cluster.Server.BeforeCall = (verb, kind, _) =>
            ThrowIf(verb == "create" && kind == "Pod", new KubernetesException(403, "Forbidden", "exceeded quota: gpus"));
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 8);
        _cluster.Deliver();
        Assert.NotNull((await _cluster.Reconcile()).Problem);
        Assert.Single(_cluster.Server.Calls, c => c.StartsWith("create Pod ", StringComparison.Ordinal));
        _cluster.Server.BeforeCall = null;
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 8);
        await _cluster.Settle();
        Assert.Equal(8, _cluster.Replicas().Count);
    }

    [Fact]
    public async Task Many_pods_created_or_deleted_at_once_are_one_event()
    {
        await Given(replicas: 8);
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await _cluster.Settle();
        List<string> messages = [.. _cluster.Server.All<Corev1Event>().Select(e => e.Message)];
        var created = Assert.Single(messages, m => m.StartsWith("created", StringComparison.Ordinal));
        Assert.StartsWith("created 8 pods: haiku-", created, StringComparison.Ordinal);
        Assert.Contains("on GPU 7 of node n1", created, StringComparison.Ordinal);
        Assert.StartsWith(
            "deleted 6 pods: haiku-", Assert.Single(messages, m => m.StartsWith("deleted", StringComparison.Ordinal)),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_alone_are_written_at_most_once_a_second()
    {
        await Given(replicas: 3);
        _cluster.Time.Advance(TimeSpan.FromMinutes(1));
        List<string> pods = [.. _cluster.Replicas().Select(r => r.Name)];
        _cluster.StartPod(pods[0]);
        _cluster.Deliver();
        await _cluster.Reconcile();
        Assert.Equal(1, _cluster.Deployment().Status!.ReadyReplicas);
        _cluster.Time.Advance(TimeSpan.FromSeconds(0.25));
        _cluster.StartPod(pods[1]);
        _cluster.Deliver();
        Assert.Equal(TimeSpan.FromSeconds(0.75), (await _cluster.Reconcile()).RequeueAfter);
        Assert.Equal(1, _cluster.Deployment().Status!.ReadyReplicas);
        _cluster.Time.Advance(TimeSpan.FromSeconds(0.75));
        Assert.Equal(ReconcileResult.Done, await _cluster.Reconcile());
        Assert.Equal(2, _cluster.Deployment().Status!.ReadyReplicas);

        // The last one turns a condition: that does not wait.
        _cluster.StartPod(pods[2]);
        _cluster.Deliver();
        await _cluster.Reconcile();
        Assert.Equal("True", _cluster.Condition("Ready").Status);
    }

    [Fact]
    public async Task Gpus_that_come_free_wake_only_who_waits_and_only_as_many_as_they_serve()
    {
        _cluster.Add(Reconciling.Given.Node("n1"));
        foreach (var name in new[] { "first", "content", "waits", "waits-too" })
        {
            _cluster.Add(Reconciling.Given.Deployment(name, s => s.TensorParallelSize = name == "content" ? 4 : name == "first" ? 4 : 3));
            await _cluster.Settle(name);
        }

        _cluster.Woken.Clear();
        _cluster.ChangeSpec("first", s => s["replicas"] = 0);
        await _cluster.Settle("first");
        Assert.Empty(_cluster.Woken);
        _cluster.EndTerminatingPods();
        _cluster.Deliver();
        Assert.Equal(["ns/waits", "ns/waits-too"], _cluster.Woken.Select(k => k.ToString()));
        await _cluster.Settle("waits");
        _cluster.Woken.Clear();
        await _cluster.Settle("waits-too");
        Assert.Empty(_cluster.Woken);
        Assert.Equal("InsufficientGpus", _cluster.Condition("GpusAllocated", "waits-too").Reason);
    }

    [Fact]
    public async Task A_crashed_worker_says_why_in_the_degraded_condition()
    {
        await Given();
        var pod = _cluster.Replicas()[0].Name;
        _cluster.StartPod(pod, ready: false);
        _cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["containerStatuses"] = JsonNode.Parse(
            """[{"name":"worker","restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error","message":"model folder '/models/x' does not exist"}}}]"""));
        await _cluster.Settle();
        Assert.Equal("WorkerCrashed", _cluster.Condition("Degraded").Reason);
        Assert.Equal(
            $"pod {pod}: container worker exited with code 1, 2 restarts: model folder '/models/x' does not exist",
            _cluster.Condition("Degraded").Message);

        _cluster.Server.Update<V1Pod>(
            "ns", pod, p => p["status"]!["containerStatuses"]![0]!["lastState"]!["terminated"]!.AsObject().Remove("message"));
        await _cluster.Settle();
        Assert.EndsWith($"2 restarts: last line of {pod}", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_init_container_that_fails_is_a_problem_and_one_that_is_done_is_none()
    {
        await Given();
        var pod = _cluster.Replicas()[0].Name;
        _cluster.StartPod(pod, ready: false);
        _cluster.Server.Update<V1Pod>("ns", pod, p => p["status"]!["initContainerStatuses"] = JsonNode.Parse(
            """[{"name":"fetch","restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"check","restartCount":1,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":4,"reason":"Error"}}}]"""));
        await _cluster.Settle();
        Assert.Equal(
            $"pod {pod}: container check exited with code 4, 1 restart: last line of {pod}", _cluster.Condition("Degraded").Message);

        _cluster.Server.Update<V1Pod>(
            "ns", pod,
            p => p["status"]!["initContainerStatuses"]![1]!["state"] = new JsonObject
            {
                ["terminated"] = new JsonObject { ["exitCode"] = 0 }
            });
        await _cluster.Settle();
        Assert.Equal("AsExpected", _cluster.Condition("Degraded").Reason);
    }

    [Fact]
    public async Task Pods_that_fail_again_and_again_are_replaced_ever_more_slowly()
    {
        await Given();
        var first = _cluster.Replicas()[0].Name;
        _cluster.FailPod(first);
        await _cluster.Settle();
        _cluster.EndTerminatingPods();
        var second = Assert.Single(_cluster.Replicas()).Name;
        Assert.NotEqual(first, second);
        _cluster.FailPod(second);
        _cluster.Deliver();
        Assert.Equal(TimeSpan.FromSeconds(10), (await _cluster.Reconcile()).RequeueAfter);
        Assert.Equal(second, Assert.Single(_cluster.Replicas()).Name);
        _cluster.Time.Advance(TimeSpan.FromSeconds(10));
        await _cluster.Settle();
        Assert.Equal(2, _cluster.Replicas().Count);
    }

    [Fact]
    public async Task A_pod_on_a_node_that_vanished_is_replaced_elsewhere()
    {
        _cluster.Add(Reconciling.Given.Node("n2"));
        await Given();
        _cluster.StartAllPods();
        await _cluster.Settle();
        var node = _cluster.Replicas()[0].Node!;
        _cluster.Server.Remove<V1Node>(null, node);
        await _cluster.Settle();
        Assert.NotEqual(node, Assert.Single(_cluster.Replicas()).Node);
    }

    [Fact]
    public async Task Somebody_elses_service_is_not_taken_over()
    {
        await _cluster.Server.CreateAsync<V1Service>(
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = "haiku", ["namespace"] = "ns" } }, CancellationToken.None);
        await Given();
        Assert.Contains("service 'haiku' already exists", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Null(_cluster.Server.Find<V1Service>("ns", "haiku")!["spec"]);
    }

    [Fact]
    public async Task A_deleted_service_comes_back()
    {
        await Given();
        _cluster.Server.Remove<V1Service>("ns", "haiku");
        await _cluster.Settle();
        Assert.NotNull(_cluster.Server.Find<V1Service>("ns", "haiku"));
    }

    [Fact]
    public async Task A_service_that_somebody_edited_is_put_right()
    {
        await Given();
        _cluster.Server.Update<V1Service>("ns", "haiku", s => s["spec"]!["selector"]![ApiNames.DeploymentLabel] = "elsewhere");
        await _cluster.Settle();
        Assert.Equal("haiku", _cluster.Server.Find<V1Service>("ns", "haiku")!["spec"]!["selector"]![ApiNames.DeploymentLabel]!.ToString());
        var calls = _cluster.Server.Calls.Count;
        await _cluster.Reconcile();
        Assert.Equal(calls, _cluster.Server.Calls.Count);
    }

    [Fact]
    public async Task A_transition_is_one_event_however_stale_the_cache_is()
    {
        await Given();
        _cluster.StartAllPods();
        _cluster.DeliverPods();
        await _cluster.Reconcile();
        await _cluster.Reconcile();
        await _cluster.Reconcile();
        var ready = Assert.Single(
            _cluster.Server.All<Corev1Event>().Select(e => _cluster.Server.Find<Corev1Event>("ns", e.Metadata.Name)!),
            e => e["reason"]!.ToString() == "AllReplicasReady");
        Assert.Equal(1, ready["count"]!.GetValue<int>());
    }

    [Fact]
    public async Task The_transition_time_of_a_condition_moves_only_when_its_status_does()
    {
        await Given(replicas: 2);
        var before = _cluster.Condition("Ready").LastTransitionTime;
        _cluster.Time.Advance(TimeSpan.FromMinutes(1));
        _cluster.StartPod(_cluster.Replicas()[0].Name);
        await _cluster.Settle();
        Assert.Equal("1 of 2 replicas ready", _cluster.Condition("Ready").Message);
        Assert.Equal(before, _cluster.Condition("Ready").LastTransitionTime);
        _cluster.StartAllPods();
        await _cluster.Settle();
        Assert.Equal(before + TimeSpan.FromMinutes(1), _cluster.Condition("Ready").LastTransitionTime);
    }

    private async Task Given(int replicas = 1)
    {
        _cluster.Add(Reconciling.Given.Node("n1"));
        _cluster.Add(Reconciling.Given.Deployment(change: s => s.Replicas = replicas));
        await _cluster.Settle();
    }

    private static void ThrowIf(bool condition, Exception exception)
    {
        if (condition)
        {
            throw exception;
        }
    }
}
