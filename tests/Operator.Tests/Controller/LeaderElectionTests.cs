using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Controller;

public sealed class LeaderElectionTests
{
    private readonly FakeKubernetesClient _server = new();
    private readonly ManualTime _time = new();
    private readonly List<string> _leading = [];

    [Fact]
    public async Task The_first_leads_at_once_and_gives_the_lease_back_when_it_ends()
    {
        using CancellationTokenSource stop = new();
        var one = Run("one", stop.Token);
        await Eventually.True(() => Leads("one"), "one leads");
        Assert.Equal("one", Holder());
        await stop.CancelAsync();
        await one;
        Assert.Equal("", Holder());
    }

    [Fact]
    public async Task The_second_waits_and_takes_over_a_released_lease_at_its_next_try()
    {
        using CancellationTokenSource stopOne = new();
        using CancellationTokenSource stopTwo = new();
        var one = Run("one", stopOne.Token);
        await Eventually.True(() => Leads("one"), "one leads");
        var two = Run("two", stopTwo.Token);
        await Eventually.True(() => _time.PendingTimers == 2, "one renews, two waits");
        Assert.False(Leads("two"));
        await stopOne.CancelAsync();
        await one;
        await PassTimeUntil(() => Leads("two"));
        Assert.Equal(1, _server.Find<V1Lease>("ns", "lease")!["spec"]!["leaseTransitions"]!.GetValue<int>());
        await stopTwo.CancelAsync();
        await two;
    }

    [Fact]
    public async Task A_leader_that_vanished_is_succeeded_when_its_lease_has_run_out()
    {
        await _server.CreateAsync<V1Lease>(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = "lease", ["namespace"] = "ns" },
                ["spec"] = new JsonObject { ["holderIdentity"] = "ghost" }
            },
            CancellationToken.None);
        using CancellationTokenSource stop = new();
        var two = Run("two", stop.Token);
        var start = _time.GetUtcNow();
        await PassTimeUntil(() => Leads("two"));
        Assert.True(_time.GetUtcNow() - start >= TimeSpan.FromSeconds(15));
        await stop.CancelAsync();
        await two;
    }

    [Fact]
    public async Task A_leader_that_cannot_renew_stops_leading()
    {
        var one = Run("one", CancellationToken.None);
        await Eventually.True(() => Leads("one"), "one leads");
        _server.BeforeCall = (_, _, _) => throw new KubernetesException(0, "Unreachable", "cut off");
        await PassTimeUntil(() => one.IsCompleted);
        await Assert.ThrowsAsync<LeadershipLostException>(() => one);
        Assert.False(Leads("one"));
    }

    [Fact]
    public async Task Of_two_that_try_at_once_only_one_leads()
    {
        using CancellationTokenSource stop = new();
        Task[] all = [.. Enumerable.Range(0, 8).Select(i => Run($"c{i}", stop.Token))];
        await Eventually.True(() => Count() == 1, "somebody leads");
        await Eventually.True(() => _time.PendingTimers == 8, "one renews, the others wait");
        Assert.Equal(1, Count());
        await stop.CancelAsync();
        await Task.WhenAll(all);
    }

    /// <summary>The lease counts from the write, which may lie far back when its answer comes: others lead by then.</summary>
    [Fact]
    public async Task A_lease_won_by_an_answer_that_took_too_long_is_not_led_by()
    {
        _server.AfterWrite = (_, _, _) =>
        {
            _server.AfterWrite = null;
            _time.Advance(TimeSpan.FromSeconds(12));
        };
        using CancellationTokenSource stop = new();
        var writes = 0;
        var one = Run("one", stop.Token, () => writes = _server.Calls.Count(c => !c.StartsWith("get", StringComparison.Ordinal)));
        await PassTimeUntil(() => Leads("one"));
        Assert.Equal(2, writes);
        await stop.CancelAsync();
        await one;
    }

    /// <summary>As by SIGSTOP and SIGCONT: for the one nothing happens for a minute, then all at once.</summary>
    [Fact]
    public async Task A_leader_that_was_stopped_for_longer_than_its_lease_finds_it_lost_and_does_not_take_it_back()
    {
        using CancellationTokenSource stop = new();
        ManualTime stopped = new();
        var one = Run("one", CancellationToken.None, time: stopped);
        await Eventually.True(() => Leads("one"), "one leads");
        await stopped.TimerOfAsync(TimeSpan.FromSeconds(2));
        var two = Run("two", stop.Token);
        await PassTimeUntil(() => Leads("two"));

        stopped.Advance(TimeSpan.FromMinutes(1));

        await Assert.ThrowsAsync<LeadershipLostException>(() => one);
        Assert.Equal("two", Holder());
        Assert.False(Leads("one"));
        await stop.CancelAsync();
        await two;
    }

    private Task Run(string identity, CancellationToken cancellationToken, Action? begins = null, TimeProvider? time = null)
    {
        LeaderElectionOptions options = new("ns", "lease", identity);
        LeaderElection election = new(
            _server, options, time ?? _time, new Random(7), new MetricsRegistry(), new Readiness(), NullLogger.Instance);
        return Task.Run(() => election.RunAsync(Lead, cancellationToken), CancellationToken.None);

        async Task Lead(CancellationToken token)
        {
            begins?.Invoke();
            lock (_leading)
            {
                _leading.Add(identity);
            }

            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            finally
            {
                lock (_leading)
                {
                    _leading.Remove(identity);
                }
            }
        }
    }

    /// <summary>Moves the clock in small steps, each only when somebody sleeps.</summary>
    private async Task PassTimeUntil(Func<bool> condition)
    {
        while (!condition())
        {
            await Eventually.True(() => _time.PendingTimers > 0 || condition(), "somebody sleeps");
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
    }

    private bool Leads(string identity)
    {
        lock (_leading)
        {
            return _leading.Contains(identity);
        }
    }

    private int Count()
    {
        lock (_leading)
        {
            return _leading.Count;
        }
    }

    private string Holder() => _server.Find<V1Lease>("ns", "lease")!["spec"]!["holderIdentity"]!.ToString();
}
