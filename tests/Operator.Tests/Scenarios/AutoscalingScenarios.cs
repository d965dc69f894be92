using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Replicas that follow what gateways report, with a real operator, a real API and a gateway's answers over HTTP.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class AutoscalingScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task A_request_starts_a_replica_load_adds_some_and_without_requests_there_are_none()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        await using var demand = await FakeDemand.StartAsync(cluster.Namespace, "llm");
        await cluster.StartOperatorAsync(gateways: demand.Access);
        await ApplyAsync(cluster);
        await cluster.UntilConditionAsync("llm", "Autoscaling", "True", "ScaledToZero");
        Assert.Empty(cluster.Observer.Pods);

        demand.Demand = Demand.None with { Queued = 1, SecondsSinceLastRequest = 0 };
        await cluster.UntilReadyAsync("llm", 1);
        demand.Demand = Demand.None with { Running = 9, OutstandingTokens = 2900, SecondsSinceLastRequest = 0 };
        await cluster.UntilReadyAsync("llm", 3);
        demand.Demand = Demand.None with { Running = 90, OutstandingTokens = 290_000, SecondsSinceLastRequest = 0 };
        await cluster.UntilConditionAsync("llm", "Autoscaling", "True", "AtMaximum");
        await cluster.UntilReadyAsync("llm", 4);

        demand.Demand = Demand.None with { SecondsSinceLastRequest = 3600 };
        await cluster.UntilAsync(
            () => cluster.Observer.Pods.Count == 0 && cluster.Observer.Condition("llm", "Autoscaling")?.Reason == "ScaledToZero",
            "nothing is left");
        Assert.Equal(1, cluster.Observer.Deployment("llm")!.Spec.Replicas);
    }

    [Fact]
    public async Task Whoever_scales_it_by_hand_is_told_why_not()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await ApplyAsync(cluster, least: 1);
        await cluster.UntilReadyAsync("llm", 1);
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => cluster.ScaleAsync("llm", 3));
        Assert.Equal(422, refused.StatusCode);
        Assert.Contains("with autoscaling the operator chooses the number of replicas", refused.Message, StringComparison.Ordinal);
        await cluster.UntilConditionAsync("llm", "Autoscaling", "False", "DemandUnknown");
        Assert.Single(cluster.Observer.Active("llm"));
    }

    [Fact]
    public async Task The_next_operator_keeps_the_number_while_no_gateway_answers()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        await using var demand = await FakeDemand.StartAsync(cluster.Namespace, "llm");
        var first = await cluster.StartOperatorAsync(gateways: demand.Access);
        await ApplyAsync(cluster);
        demand.Demand = Demand.None with { Running = 9, OutstandingTokens = 2900, SecondsSinceLastRequest = 0 };
        await cluster.UntilReadyAsync("llm", 3);
        var pods = cluster.Observer.Active("llm").Select(r => r.Name).Order(StringComparer.Ordinal).ToList();

        demand.Demand = null;
        await first.CrashAsync();
        await cluster.StartOperatorAsync(gateways: demand.Access);
        await cluster.UntilConditionAsync("llm", "Autoscaling", "False", "DemandUnknown");
        Assert.Equal(pods, cluster.Observer.Active("llm").Select(r => r.Name).Order(StringComparer.Ordinal));

        demand.Demand = Demand.None with { SecondsSinceLastRequest = 3600 };
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 0, "known again, nothing is wanted");
    }

    private static Task ApplyAsync(TestCluster cluster, int least = 0) => cluster.ApplyAsync("llm", change: spec =>
    {
        spec.Remove("replicas");
        spec["autoscaling"] = JsonNode.Parse(
            $$"""{"minReplicas": {{least}}, "maxReplicas": 4, "targetOutstandingTokens": 1000, "scaleDownAfter": "2s"}""");
    });
}
