using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>An API server that says no, worded as a real one words it: admission policies, quotas, a namespace that is being deleted, roles
/// and tokens that do not do. The operator says so, and asks ever more rarely.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class RefusalScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task A_pod_that_pod_security_refuses_is_asked_for_ever_more_rarely()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        cluster.Gateway.OnRequest = r => r.IsPodCreation
            ? new Fault(
                403,
                Message: $"pods \"{r.Name}\" is forbidden: violates PodSecurity \"restricted:latest\": privileged (container \"worker\" "
                    + "must not set securityContext.privileged=true), restricted volume types (volume \"model\" uses restricted volume "
                    + "type \"hostPath\")")
            : null;
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(20));

        var tries = cluster.Gateway.Requests.Count(r => r.IsPodCreation);
        var requests = cluster.Gateway.Requests.Count(r => !r.IsWatch);
        Tell($"{tries} tries, {requests} requests in 20 s");
        Assert.InRange(tries, 5, 15);
        Assert.InRange(requests, 1, 60);
        var condition = cluster.Observer.Condition("llm", "Degraded")!;
        Assert.Equal(("True", Refusal.OfPod), (condition.Status, condition.Reason));
        Assert.StartsWith(
            "pods \"llm-*\" is forbidden: violates PodSecurity \"restricted:latest\": privileged", condition.Message,
            StringComparison.Ordinal);
        Assert.Single(await cluster.EventsAsync("FailedCreate"));

        // Once the namespace allows it, nothing has to be done to the deployment.
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected"));
    }

    [Fact]
    public async Task A_webhook_that_cannot_be_asked_is_a_refusal_too()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        var port = 50000;
        cluster.Gateway.OnRequest = r => r.IsPodCreation
            ? new Fault(
                500,
                Message: "Internal error occurred: failed calling webhook \"pods.example.com\": failed to call webhook: Post "
                    + "\"https://hook.example.svc:443/pods?timeout=10s\": read tcp "
                    + $"10.0.0.7:{Interlocked.Increment(ref port)}->10.96.0.9:443: connection reset by peer")
            : null;
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.InRange(cluster.Gateway.Requests.Count(r => r.IsPodCreation), 5, 15);
        Assert.Contains("read tcp *:443: connection reset", cluster.Observer.Condition("llm", "Degraded")!.Message);
        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    [Fact]
    public async Task A_new_spec_is_tried_at_once()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        cluster.Gateway.OnRequest = r => r.IsPodCreation ? new Fault(403, Message: $"pods \"{r.Name}\" is forbidden: no") : null;
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(60));
        cluster.Gateway.OnRequest = null;
        await cluster.ApplyAsync("llm", model: "file:///models/b");
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 1, "the pod is there without any time passing");
    }

    [Fact]
    public async Task A_quota_that_stops_the_services_ends_in_a_condition_and_an_event()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        cluster.Gateway.OnRequest = r => r.Method == "PATCH" && r.Path.Contains("/services/", StringComparison.Ordinal)
            ? new Fault(
                403,
                Message: "services \"llm\" is forbidden: exceeded quota: objects, requested: services=1, used: services=0, limited: "
                    + "services=0")
            : null;
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromSeconds(20));
        var condition = cluster.Observer.Condition("llm", "Degraded")!;
        Assert.Equal(("True", Refusal.OfOther), (condition.Status, condition.Reason));
        Assert.Contains("exceeded quota: objects", condition.Message, StringComparison.Ordinal);
        await cluster.SingleEventAsync(Refusal.OfOther);
        Assert.InRange(cluster.Gateway.Requests.Count(r => !r.IsWatch), 1, 60);
        Assert.Empty(cluster.Observer.Pods);

        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    [Fact]
    public async Task A_namespace_that_is_deleted_goes_quickly_and_costs_few_requests()
    {
        Assert.SkipWhen(
            !ApiServerUnderTest.HasControllers,
            "a namespace ends by kube-controller-manager, which does not run beside a bare kube-apiserver");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        foreach (var name in new[] { "a", "b", "c" })
        {
            await cluster.ApplyAsync(name, replicas: 2);
            await cluster.UntilReadyAsync(name, 2);
        }

        var before = cluster.Gateway.Requests.Count;
        var started = TimeProvider.System.GetTimestamp();
        await cluster.Client.DeleteAsync<V1Namespace>(null, cluster.Namespace, null, null, CancellationToken.None);
        await cluster.UntilAsync(
            () => cluster.Observer.Pods.Count == 0 && cluster.Observer.Deployment("a") is null && cluster.Observer.Deployment("b") is null
                && cluster.Observer.Deployment("c") is null,
            "everything is gone");
        var after = cluster.Gateway.Requests.Skip(before).Where(r => !r.IsWatch).ToList();
        var metrics = PrometheusText.Parse(cluster.Operator.Metrics.Render());
        var failed = metrics.Value("controller_runtime_reconcile_errors_total", ("controller", "modeldeployment"));
        Tell($"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s, {after.Count} requests, {failed} failed reconciles");
        Assert.InRange(failed, 0, 9);
        Assert.InRange(after.Count, 3, 90);
        Assert.InRange(after.Count(r => r.IsPodCreation), 0, 3);
        Assert.InRange(after.Count(r => r.Path.Contains("/services/", StringComparison.Ordinal)), 0, 6);
    }

    [Fact]
    public async Task A_foreign_service_that_goes_makes_way()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.Client.CreateAsync<V1Service>(Service(cluster, owner: null), CancellationToken.None);
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await cluster.UntilConditionAsync("llm", "Ready", "False", "InvalidSpec");
        await cluster.Client.DeleteAsync<V1Service>(cluster.Namespace, "llm", null, null, CancellationToken.None);
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    [Theory]
    [InlineData("policy/v1", "poddisruptionbudgets", "llm", """{"maxUnavailable": 1, "selector": {}}""")]
    [InlineData("v1", "serviceaccounts", "llm-worker", null)]
    [InlineData("v1", "services", "llm-pods", """{"ports": [{"port": 80}]}""")]
    public async Task Whatever_is_in_the_way_and_goes_makes_way(string apiVersion, string resource, string name, string? spec)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        using var api = new ApiClient(cluster.Server);
        var path = $"/{(apiVersion == "v1" ? "api" : "apis")}/{apiVersion}/namespaces/{cluster.Namespace}/{resource}";
        JsonObject foreign = new() { ["metadata"] = new JsonObject { ["name"] = name } };
        if (spec is not null)
        {
            foreign["spec"] = JsonNode.Parse(spec);
        }

        await api.CreateAsync(path, foreign);
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await cluster.UntilConditionAsync("llm", "Degraded", "True", "InvalidSpec");
        Assert.Contains(
            $"'{name}' already exists and does not belong to this ModelDeployment", cluster.Observer.Condition("llm", "Degraded")!.Message,
            StringComparison.Ordinal);
        using (await api.SendAsync(HttpMethod.Delete, $"{path}/{name}"))
        {
            await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        }
    }

    [Fact]
    public async Task A_service_of_an_earlier_deployment_of_the_name_is_awaited_and_not_called_foreign()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        var service = Service(cluster, owner: Guid.NewGuid().ToString());
        service["metadata"]!["finalizers"] = new JsonArray("example.com/slow");
        await cluster.Client.CreateAsync<V1Service>(service, CancellationToken.None);
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await cluster.UntilConditionAsync("llm", "Progressing", "True", "AwaitingGarbageCollection");
        Assert.Equal(
            "service 'llm' of an earlier ModelDeployment of this name awaits garbage collection",
            cluster.Observer.Condition("llm", "Progressing")!.Message);
        Assert.Equal("False", cluster.Observer.Condition("llm", "Degraded")!.Status);

        await cluster.Client.PatchAsync<V1Service>(
            cluster.Namespace, "llm", PatchType.Merge,
            JsonNode.Parse("""{"metadata": {"finalizers": null}}""")!, null, CancellationToken.None);
        if (!ApiServerUnderTest.HasControllers)
        {
            await cluster.Client.DeleteAsync<V1Service>(cluster.Namespace, "llm", null, null, CancellationToken.None);
        }

        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    [Theory]
    [InlineData(403, "leases.coordination.k8s.io \"op\" is forbidden: User \"system:serviceaccount:x:op\" cannot get resource \"leases\"")]
    [InlineData(401, "Unauthorized")]
    public async Task An_operator_that_cannot_have_the_lease_says_what_is_refused_and_that_it_waits(int status, string message)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        var one = await cluster.StartOperatorAsync(new LeaderElectionOptions(cluster.Namespace, "op", "me"), time.Clock);
        one.Gateway.OnRequest = r => r.Path.Contains("/leases", StringComparison.Ordinal) ? new Fault(status, Message: message) : null;
        await Eventually.True(
            () => Task.FromResult(one.Readiness.Text.Contains($"/op cannot be had: {message}", StringComparison.Ordinal)), "it says so");
        Assert.False(one.Readiness.IsReady);
        Assert.Contains($"[-]lease {cluster.Namespace}/op cannot be had", one.Readiness.Text, StringComparison.Ordinal);

        one.Gateway.OnRequest = null;
        var text = "";
        await time.WhileAsync(Eventually.True(
            () =>
            {
                // Read once: with time that hastens, a watch may be late again in the next moment.
                text = one.Readiness.Text;
                return Task.FromResult(one.Readiness.IsReady && !text.Contains("[-]", StringComparison.Ordinal));
            },
            "it leads, and its caches are full"));
        Assert.Contains($"[+]lease {cluster.Namespace}/op is held\n", text, StringComparison.Ordinal);
        Assert.Contains("[+]modeldeployments are in the cache\n", text, StringComparison.Ordinal);
        await using var other = await cluster.StartOperatorAsync(new LeaderElectionOptions(cluster.Namespace, "op", "other"));
        await Eventually.True(
            () => Task.FromResult(other.Readiness.Text.Contains("is held by me; waiting for it", StringComparison.Ordinal)),
            "it stands by");
        Assert.True(other.Readiness.IsReady);
    }

    /// <summary>Figures for whoever runs it with <c>-showLiveOutput</c>.</summary>
    private static void Tell(string figures) => TestContext.Current.TestOutputHelper?.WriteLine(figures);

    private static JsonObject Service(TestCluster cluster, string? owner)
    {
        JsonObject metadata = new() { ["name"] = "llm", ["namespace"] = cluster.Namespace };
        if (owner is not null)
        {
            metadata["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = $"{ApiNames.Group}/{ApiNames.Version}",
                ["kind"] = ApiNames.Kind,
                ["name"] = "llm",
                ["uid"] = owner,
                ["controller"] = true,
            });
        }

        return new JsonObject
        {
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["port"] = 80 }) },
        };
    }
}
