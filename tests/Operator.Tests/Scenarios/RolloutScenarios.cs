using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>From one template to the next, judged change by change.</summary>
public sealed class RolloutScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task A_rolling_update_never_lacks_more_ready_replicas_than_allowed()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 4);
        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        var before = Names(cluster);
        var fewest = cluster.Observer.WatchFewestReady("llm");

        await cluster.ApplyAsync("llm", replicas: 4, model: "file:///models/b");
        await cluster.UntilReadyAsync("llm", 4);
        Assert.Equal(3, fewest());
        Assert.Empty(before.Intersect(Names(cluster)));
        Assert.All(
            cluster.Observer.Pods,
            p => Assert.Contains(
                "file:///models/b".Replace("file://", "", StringComparison.Ordinal), KubernetesJson.ToJsonObject(p).ToJsonString(),
                StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_free_gpus_a_surge_keeps_every_replica_ready()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 3, rollout: """{"maxUnavailable": 0, "maxSurge": 2}""");
        await cluster.UntilReadyAsync("llm", 3);
        var fewest = cluster.Observer.WatchFewestReady("llm");
        await cluster.ApplyAsync("llm", replicas: 3, model: "file:///models/b", rollout: """{"maxUnavailable": 0, "maxSurge": 2}""");
        await cluster.UntilReadyAsync("llm", 3);
        Assert.Equal(3, fewest());
    }

    [Fact]
    public async Task A_new_version_that_never_gets_ready_costs_no_more_than_allowed_and_the_old_spec_rolls_it_back()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 4);
        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        var before = Names(cluster);
        var good = cluster.Observer.Active("llm")[0].TemplateHash;
        var fewest = cluster.Observer.WatchFewestReady("llm");

        cluster.Kubelet.BecomesReady = pod => pod.Metadata.Labels![ApiNames.TemplateHashLabel] == good;
        await cluster.ApplyAsync("llm", replicas: 4, model: "file:///models/broken");
        await cluster.UntilAsync(
            () => cluster.Observer.Active("llm").Any(r => r.TemplateHash != good && r.Pod.Status?.Phase == "Running"),
            "the new version runs and is not ready");
        await cluster.UntilConditionAsync("llm", "Progressing", "True", "RollingOut");
        Assert.Equal(3, cluster.Observer.Ready("llm"));

        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        Assert.Equal(3, fewest());
        Assert.Equal(3, before.Intersect(Names(cluster)).Count());
    }

    [Fact]
    public async Task Scaling_during_a_rollout_ends_with_the_new_template_and_the_new_number()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 4);
        await cluster.UntilReadyAsync("llm", 4);
        var old = Names(cluster);
        var fewest = cluster.Observer.WatchFewestReady("llm");
        await cluster.ApplyAsync("llm", replicas: 4, model: "file:///models/b");
        await cluster.UntilAsync(() => cluster.Observer.Active("llm").Any(r => !old.Contains(r.Name)), "the rollout has begun");
        await cluster.ScaleAsync("llm", 6);
        await cluster.UntilReadyAsync("llm", 6);
        Assert.Empty(old.Intersect(Names(cluster)));
        Assert.True(fewest() >= 3, $"{fewest()} ready");
    }

    [Fact]
    public async Task What_does_not_change_the_pods_does_not_replace_them()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var before = Names(cluster);
        await cluster.ApplyAsync("llm", replicas: 2, rollout: """{"maxUnavailable": 2, "maxSurge": 1}""");
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llm")!.Status!.ObservedGeneration == 2, "the change is seen");
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Equal(before, Names(cluster));
    }

    private static HashSet<string> Names(TestCluster cluster) => [.. cluster.Observer.Active("llm").Select(r => r.Name)];
}
