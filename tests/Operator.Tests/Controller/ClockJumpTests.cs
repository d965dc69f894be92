using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Controller;

/// <summary>Somebody sets the clock by an hour: what waits goes on waiting as long as it should, and not longer.</summary>
public sealed class ClockJumpTests
{
    private readonly ManualTime _steady = new();
    private readonly JumpingTime _time;

    public ClockJumpTests() => _time = new JumpingTime(_steady);

    public static TheoryData<int> Hours => [-1, 1];

    [Theory, MemberData(nameof(Hours))]
    public void A_delayed_item_of_the_queue_comes_when_its_delay_has_passed(int hours)
    {
        using var queue = new WorkQueue<string>("test", _time, new MetricsRegistry());
        queue.AddAfter("before", TimeSpan.FromSeconds(10));
        _time.Jump(TimeSpan.FromHours(hours));
        queue.AddAfter("after", TimeSpan.FromSeconds(20));

        _steady.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(0, queue.Count);
        _steady.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, queue.Count);
        _steady.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(1, queue.Count);
        _steady.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, queue.Count);
    }

    [Theory, MemberData(nameof(Hours))]
    public void Failed_pods_are_left_alone_as_long_as_before(int hours)
    {
        var backoff = new ReplacementBackoff(_time);
        backoff.Replaced("uid");
        _steady.Advance(TimeSpan.FromSeconds(4));
        _time.Jump(TimeSpan.FromHours(hours));

        Assert.Equal(TimeSpan.FromSeconds(6), backoff.Remaining("uid"));
        _steady.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(TimeSpan.Zero, backoff.Remaining("uid"));
    }

    [Theory, MemberData(nameof(Hours))]
    public async Task The_same_event_again_counts_up_and_bears_the_time_that_the_clock_shows(int hours)
    {
        var server = new FakeKubernetesClient();
        var events = new EventRecorder(server, "tester", _time, new Random(1), NullLogger.Instance);
        var about = new V1Pod { Metadata = new V1ObjectMeta { Name = "p", NamespaceProperty = "ns", Uid = "u" } };
        await events.RecordAsync(about, EventType.Warning, "Failed", "no luck", CancellationToken.None);
        _time.Jump(TimeSpan.FromHours(2 * hours));
        await events.RecordAsync(about, EventType.Warning, "Failed", "no luck", CancellationToken.None);

        var made = server.Find<Corev1Event>("ns", Assert.Single(server.All<Corev1Event>()).Metadata.Name)!;
        Assert.Equal(2, (int)made["count"]!);
        Assert.Equal(_time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"), (string?)made["lastTimestamp"]);
        Assert.Equal("2026-01-01T00:00:00Z", (string?)made["firstTimestamp"]);
    }

    /// <summary>Each of the two has a wall clock of its own; neither's matters.</summary>
    [Theory, MemberData(nameof(Hours))]
    public async Task A_leader_goes_on_leading_and_nobody_takes_its_lease(int hours)
    {
        var server = new FakeKubernetesClient();
        var leading = new List<string>();
        using var stop = new CancellationTokenSource();
        var other = new JumpingTime(_steady);
        var one = Lead(server, "one", _time, leading, stop.Token);
        await Eventually.True(() => Names(leading) == "one", "one leads");
        await _steady.TimerOfAsync(TimeSpan.FromSeconds(2));
        var two = Lead(server, "two", other, leading, stop.Token);
        await Eventually.True(() => _steady.PendingTimers == 2, "one renews, two waits");

        _time.Jump(TimeSpan.FromHours(hours));
        other.Jump(TimeSpan.FromHours(-hours));
        var renewals = Renewals(server);
        for (var second = 0; second < 40; second++)
        {
            await Eventually.True(() => _steady.PendingTimers == 2, "both sleep");
            _steady.Advance(TimeSpan.FromSeconds(1));
        }

        await Eventually.True(() => _steady.PendingTimers == 2, "both sleep");
        Assert.Equal("one", Names(leading));
        Assert.Equal("one", (string?)server.Find<V1Lease>("ns", "lease")!["spec"]!["holderIdentity"]);
        Assert.InRange(Renewals(server) - renewals, 15, 21);
        await stop.CancelAsync();
        await Task.WhenAll(one, two);
    }

    [Theory, MemberData(nameof(Hours))]
    public async Task A_lease_whose_holder_has_vanished_is_taken_when_it_was_not_renewed_for_its_time(int hours)
    {
        var server = new FakeKubernetesClient();
        await server.CreateAsync<V1Lease>(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = "lease", ["namespace"] = "ns" },
                ["spec"] = new JsonObject { ["holderIdentity"] = "ghost" },
            },
            CancellationToken.None);
        var leading = new List<string>();
        using var stop = new CancellationTokenSource();
        var two = Lead(server, "two", _time, leading, stop.Token);
        await _steady.TimerSetAsync();
        _time.Jump(TimeSpan.FromHours(hours));
        var start = _steady.GetUtcNow();
        while (Names(leading).Length == 0)
        {
            await Eventually.True(() => _steady.PendingTimers > 0 || Names(leading).Length > 0, "it sleeps or leads");
            if (Names(leading).Length == 0)
            {
                _steady.Advance(TimeSpan.FromMilliseconds(500));
            }
        }

        Assert.InRange(_steady.GetUtcNow() - start, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(21));
        await stop.CancelAsync();
        await two;
    }

    [Theory, MemberData(nameof(Hours))]
    public void A_node_agent_that_works_stays_alive_and_one_that_hangs_is_noticed(int hours)
    {
        var health = new NodeAgentHealth(_time, TimeSpan.FromMinutes(1));
        health.Report([]);
        _time.Jump(TimeSpan.FromHours(hours));
        Assert.True(health.IsAlive);
        _steady.Advance(TimeSpan.FromMinutes(6));
        Assert.False(health.IsAlive);
    }

    private static Task Lead(
        FakeKubernetesClient server, string identity, TimeProvider time, List<string> leading, CancellationToken cancellationToken)
    {
        LeaderElectionOptions options = new("ns", "lease", identity);
        LeaderElection election = new(server, options, time, new Random(7), new MetricsRegistry(), new Readiness(), NullLogger.Instance);
        return Task.Run(
            () => election.RunAsync(
                async token =>
                {
                    lock (leading)
                    {
                        leading.Add(identity);
                    }

                    await Task.Delay(Timeout.Infinite, token);
                },
                cancellationToken),
            CancellationToken.None);
    }

    private static string Names(List<string> leading)
    {
        lock (leading)
        {
            return string.Join(' ', leading);
        }
    }

    private static int Renewals(FakeKubernetesClient server) =>
        server.Calls.Count(call => !call.StartsWith("get", StringComparison.Ordinal));
}
