using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Several operators and one lease. Each operator has a gateway of its own, whose log says what it wrote and when.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class LeaderScenarios(ApiServerUnderTest server)
{
    private const string LeaseName = "cluster-operator";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task Of_two_operators_exactly_one_writes_and_the_other_takes_a_released_lease_at_its_next_try()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        var first = await cluster.StartOperatorAsync(Election(cluster, "first"));
        await UntilHeldAsync(cluster, "first");
        var second = await cluster.StartOperatorAsync(Election(cluster, "second"));
        await cluster.ApplyAsync("llm", replicas: 3);
        await cluster.UntilReadyAsync("llm", 3);
        await cluster.ApplyAsync("llm", replicas: 3, model: "file:///models/b");
        await cluster.UntilReadyAsync("llm", 3);
        Assert.Empty(second.Gateway.Writes);
        Assert.All(first.Gateway.Requests, r => Assert.StartsWith("cluster-operator/", r.UserAgent, StringComparison.Ordinal));

        await first.StopAsync();
        await cluster.ScaleAsync("llm", 5);
        await cluster.UntilReadyAsync("llm", 5);
        Assert.True(first.Gateway.Writes.Max(r => r.Order) < second.Gateway.Writes.Min(r => r.Order), "the writes of the two interleave");
        Assert.Contains($"leader_election_master_status{{name=\"{LeaseName}\"}} 0", first.Metrics.Render(), StringComparison.Ordinal);
        Assert.Contains($"leader_election_master_status{{name=\"{LeaseName}\"}} 1", second.Metrics.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_leader_that_crashes_without_a_word_is_succeeded_within_the_lease_time()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        var election = Election(cluster, "first");
        var first = await cluster.StartOperatorAsync(election);
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        var time = new ManualTime();
        var second = await cluster.StartOperatorAsync(election with { Identity = "second" }, time);
        await Eventually.True(() => time.PendingTimers > 0, "the second waits");
        await first.CrashAsync();

        var waited = TimeSpan.Zero;
        while (await HolderAsync(cluster) != "second")
        {
            waited += Step;
            time.Advance(Step);
            await Eventually.True(() => time.PendingTimers > 0, "the second waits on");
        }

        // The last renewal may be seen one retry late and the expiry another; a retry is jittered by a fifth.
        var longest = election.LeaseDuration + (2 * 1.2 * election.RetryPeriod) + Step;
        Assert.InRange(waited, election.LeaseDuration, longest);

        await cluster.ScaleAsync("llm", 3);
        await cluster.UntilReadyAsync("llm", 3);
        Assert.True(first.Gateway.Writes.Max(r => r.Order) < second.Gateway.Writes.Min(r => r.Order), "the writes of the two interleave");
    }

    [Fact]
    public async Task A_leader_cut_off_from_the_server_stops_before_another_may_lead()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        var election = Election(cluster, "first");
        var time = new ManualTime();
        var only = await cluster.StartOperatorAsync(election, time);
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        only.Gateway.Down = true;

        // Past its deadline it gets real time to notice at each step, so that this clock does not run ahead of it.
        for (var waited = Step; waited < election.LeaseDuration && !only.Running.IsCompleted; waited += Step)
        {
            time.Advance(Step);
            await Eventually.True(() => time.PendingTimers > 0 || only.Running.IsCompleted, "it tries again");
            await Eventually.EndsAsync(only.Running, waited < election.RenewDeadline ? TimeSpan.Zero : TimeSpan.FromSeconds(2));
        }

        await Assert.ThrowsAsync<LeadershipLostException>(() => only.Running.WaitAsync(TimeSpan.FromMinutes(1)));
    }

    private static LeaderElectionOptions Election(TestCluster cluster, string identity) => new(cluster.Namespace, LeaseName, identity);

    private static Task UntilHeldAsync(TestCluster cluster, string identity) =>
        Eventually.True(async () => await HolderAsync(cluster) == identity, $"{identity} leads");

    private static async Task<string?> HolderAsync(TestCluster cluster)
    {
        try
        {
            return (await cluster.Client.GetAsync<V1Lease>(cluster.Namespace, LeaseName, CancellationToken.None)).Spec.HolderIdentity;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }
}
