using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Refusals of other writes than pods, and texts of refusals that are never twice the same. Each ends in one condition and one
/// event, and costs few requests.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class AdmissionScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task Objections_in_another_order_each_time_are_the_same_refusal()
    {
        string[] objections =
        [
            "maximum memory usage per Container is 1Gi, but limit is 2Gi", "maximum cpu usage per Container is 2, but limit is 4",
            "minimum ephemeral-storage usage per Container is 1Gi.  No request is specified",
        ];
        await RefusedPodAsync(
            (r, times) =>
                $"pods \"{r.Name}\" is forbidden: [{string.Join(", ", [.. objections[(times % 3)..], .. objections[..(times % 3)]])}]",
            "pods \"llm-*\" is forbidden: [");
    }

    [Fact]
    public async Task A_webhook_that_quotes_ids_and_times_says_the_same_each_time() => await RefusedPodAsync(
        (r, times) =>
            $"admission webhook \"pods.example.com\" denied the request: {Guid.NewGuid()} for Pod/{r.Name} (resourceVersion: "
            + $"\"{1000 + times}\") at 2026-01-02T03:04:{10 + times}.123456Z from tcp 10.244.0.{times}:8443 "
            + $"took {times}.{123456 + times}ms",
        "admission webhook \"pods.example.com\" denied the request: * for Pod/llm-* (resourceVersion: \"*\") at * from tcp *:8443 "
            + "took *ms");

    [Theory]
    [InlineData("serviceaccounts")]
    [InlineData("services")]
    public async Task What_pods_need_and_may_not_be_made_is_said_and_no_pod_is_made(string resource)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        Refuse(cluster, r => Writes(r, resource), 403, $"{resource} \"x\" is forbidden: exceeded quota: objects");
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(20));
        await IsToldAsync(cluster, "exceeded quota: objects");
        Assert.Empty(cluster.Observer.Pods);
        Assert.InRange(cluster.Gateway.Requests.Count(r => Writes(r, resource)), 4, 15);
        Assert.InRange(cluster.Gateway.Requests.Count(r => !r.IsWatch), 1, 60);

        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected"));
    }

    [Fact]
    public async Task Without_its_disruption_budget_a_deployment_serves_all_the_same_and_says_so()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        Refuse(
            cluster, r => Writes(r, "poddisruptionbudgets"), 403,
            "poddisruptionbudgets.policy \"llm\" is forbidden: exceeded quota: objects, requested: count/poddisruptionbudgets.policy=1");
        await cluster.ApplyAsync("llm", replicas: 2);
        await time.WhileAsync(cluster.UntilAsync(() => cluster.Observer.Ready("llm") == 2, "both serve"));
        await time.PassAsync(TimeSpan.FromSeconds(20));
        await IsToldAsync(cluster, "poddisruptionbudgets.policy \"llm\" is forbidden");
        Assert.InRange(cluster.Gateway.Requests.Count(r => Writes(r, "poddisruptionbudgets")), 4, 15);

        // Pods come and go as ever.
        await cluster.ScaleAsync("llm", 3);
        await time.WhileAsync(cluster.UntilAsync(() => cluster.Observer.Ready("llm") == 3, "the third serves too"));
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected"));
        Assert.Single((await cluster.Client.ListAsync<V1PodDisruptionBudget>(cluster.Namespace, null, CancellationToken.None)).Items);
    }

    [Fact]
    public async Task A_webhook_for_deployments_that_is_down_delays_their_begin_and_their_end()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        const string Message =
            "Internal error occurred: failed calling webhook \"mdep.example.com\": failed to call webhook: Post "
            + "\"https://hook.example.svc:443/mdep?timeout=10s\": dial tcp 10.96.0.9:443: connect: connection refused";
        Refuse(cluster, IsOfFinalizer, 500, Message);
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(20));
        await IsToldAsync(cluster, "failed calling webhook \"mdep.example.com\"");
        Assert.Empty(cluster.Observer.Pods);
        Assert.InRange(cluster.Gateway.Requests.Count(IsOfFinalizer), 4, 15);
        Assert.InRange(cluster.Gateway.Requests.Count(r => !r.IsWatch), 1, 60);
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));

        Refuse(cluster, IsOfFinalizer, 500, Message);
        var before = cluster.Gateway.Requests.Count(IsOfFinalizer);
        await cluster.DeleteAsync("llm");
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", Refusal.OfOther));
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.Empty(cluster.Observer.Pods);
        Assert.InRange(cluster.Gateway.Requests.Count(IsOfFinalizer) - before, 4, 15);
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilAsync(() => cluster.Observer.Deployment("llm") is null, "it is gone"));
    }

    [Fact]
    public async Task A_status_that_may_not_be_written_is_told_in_an_event_and_keeps_nobody_from_serving()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        const string Message =
            "modeldeployments.serving.cluster.sh \"llm\" is forbidden: User \"op\" cannot patch resource \"modeldeployments/status\"";
        Refuse(cluster, IsOfStatus, 403, Message);
        await cluster.ApplyAsync("llm", replicas: 2);
        await time.WhileAsync(cluster.UntilAsync(() => cluster.Observer.Ready("llm") == 2, "both serve"));
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.Contains(
            Message, (string)Assert.Single(await cluster.EventsAsync(Refusal.OfOther))["message"]!, StringComparison.Ordinal);
        Assert.InRange(cluster.Gateway.Requests.Count(IsOfStatus), 4, 40);
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 2));
    }

    [Fact]
    public async Task A_pod_that_may_not_be_adopted_is_said_and_no_other_is_made_beside_it()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        var pod = cluster.Observer.Pods[0];
        var created = cluster.Gateway.Requests.Count(r => r.IsPodCreation);
        Refuse(
            cluster, r => r.Method == "PATCH" && r.Path.Contains("/pods/", StringComparison.Ordinal), 403,
            $"pods \"{pod.Metadata.Name}\" is forbidden: User \"op\" cannot patch resource \"pods\"");
        await cluster.Client.PatchAsync<V1Pod>(
            cluster.Namespace, pod.Metadata.Name, PatchType.Merge, JsonNode.Parse("""{"metadata": {"ownerReferences": null}}""")!, null,
            CancellationToken.None);
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", Refusal.OfOther));
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(created, cluster.Gateway.Requests.Count(r => r.IsPodCreation));

        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        Assert.Equal(pod.Metadata.Uid, Assert.Single(cluster.Observer.Pods).Metadata.Uid);
    }

    [Theory]
    [InlineData(500, "Internal error occurred: etcdserver: mvcc: database space exceeded")]
    [InlineData(503, "apiserver is shutting down")]
    [InlineData(422, "Service \"llm\" is invalid: spec.clusterIPs: no addresses are left")]
    public async Task A_server_that_fails_a_write_is_quoted_in_the_condition(int status, string message)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        Refuse(cluster, r => Writes(r, "services"), status, message);
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(10));
        await IsToldAsync(cluster, message);
        Assert.InRange(cluster.Gateway.Requests.Count(r => !r.IsWatch), 1, 60);
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected"));
    }

    [Fact]
    public async Task A_namespace_that_is_deleted_while_a_rollout_runs_goes_quickly()
    {
        Assert.SkipWhen(
            !ApiServerUnderTest.HasControllers,
            "a namespace ends by kube-controller-manager, which does not run beside a bare kube-apiserver");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        cluster.Kubelet.BecomesReady = _ => false;
        await cluster.ApplyAsync("llm", replicas: 4, model: "file:///models/b", rollout: """{"maxUnavailable": 2, "maxSurge": 2}""");
        await cluster.UntilAsync(
            () => cluster.Observer.Active("llm").Select(r => r.TemplateHash).Distinct().Count() == 2, "the rollout is under way");
        var before = cluster.Gateway.Requests.Count;
        await cluster.Client.DeleteAsync<V1Namespace>(null, cluster.Namespace, null, null, CancellationToken.None);
        await cluster.UntilAsync(
            () => cluster.Observer.Pods.Count == 0 && cluster.Observer.Deployment("llm") is null, "everything is gone");
        var after = cluster.Gateway.Requests.Skip(before).Where(r => !r.IsWatch).ToList();
        Assert.InRange(after.Count, 1, 60);
        Assert.InRange(after.Count(r => r.IsPodCreation), 0, 8);
    }

    /// <param name="message">Of the refusal, by the request and how many there were before.</param>
    private async Task RefusedPodAsync(Func<GatewayRequest, int, string> message, string start)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        var times = 0;
        cluster.Gateway.OnRequest = r => r.IsPodCreation ? new Fault(403, Message: message(r, Interlocked.Increment(ref times))) : null;
        await cluster.ApplyAsync("llm");
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", Refusal.OfPod));
        var first = cluster.Observer.Condition("llm", "Degraded")!.Message!;
        Assert.StartsWith(start, first, StringComparison.Ordinal);
        await time.PassAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(first, cluster.Observer.Condition("llm", "Degraded")!.Message);
        Assert.InRange(cluster.Gateway.Requests.Count(r => r.IsPodCreation), 5, 15);
        Assert.Single(cluster.Gateway.Writes, r => IsOfStatus(r) && r.Body.Contains(Refusal.OfPod, StringComparison.Ordinal));
        Assert.Single(await cluster.EventsAsync("FailedCreate"));
        Assert.Single(await cluster.EventsAsync(Refusal.OfPod));
    }

    private static async Task IsToldAsync(TestCluster cluster, string part)
    {
        var condition = cluster.Observer.Condition("llm", "Degraded")!;
        Assert.Equal(("True", Refusal.OfOther), (condition.Status, condition.Reason));
        Assert.Contains(part, condition.Message, StringComparison.Ordinal);
        await cluster.SingleEventAsync(Refusal.OfOther);
    }

    private static void Refuse(TestCluster cluster, Func<GatewayRequest, bool> which, int status, string message) =>
        cluster.Gateway.OnRequest = r => which(r) ? new Fault(status, Message: message) : null;

    private static bool Writes(GatewayRequest request, string resource) =>
        request.IsWrite && request.Path.Contains($"/{resource}/", StringComparison.Ordinal);

    private static bool IsOfFinalizer(GatewayRequest request) =>
        request.Method == "PATCH" && request.Path.EndsWith($"/{ApiNames.Plural}/llm", StringComparison.Ordinal)
        && request.Body.Contains("\"finalizers\"", StringComparison.Ordinal);

    private static bool IsOfStatus(GatewayRequest request) =>
        request.Method == "PATCH" && request.Path.EndsWith($"/{ApiNames.Plural}/llm/status", StringComparison.Ordinal);
}
