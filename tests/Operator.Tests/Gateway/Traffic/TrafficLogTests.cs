using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Tests.Gateway.Traffic;

public sealed class TrafficLogTests
{
    private static readonly NamespacedName Haiku = new("default", "haiku");

    private readonly ManualTime _time = new();
    private readonly TrafficLog _log;

    public TrafficLogTests() => _log = new TrafficLog(_time);

    [Fact]
    public void A_request_is_counted_in_the_slots_in_which_things_happened()
    {
        Start("a");
        Pass(seconds: 6);
        _log.FirstToken(new("a"));
        _log.Tokens(new("a"), 1);
        Pass(seconds: 10);
        _log.Tokens(new("a"), 4);
        _log.Ended(new("a"), RequestOutcome.Completed, promptTokens: 20, completionTokens: 5, cachedTokens: 16);

        var series = Assert.Single(_log.Snapshot().Deployments).Series;

        Assert.Equal([1, 0, 0, 0], series.Started);
        Assert.Equal([0, 0, 0, 1], series.Completed);
        Assert.Equal([0, 1, 0, 4], series.Tokens);
        Assert.Equal([0, 0, 0, 20], series.PromptTokens);
        Assert.Equal([0, 0, 0, 16], series.CachedTokens);
        Assert.Equal([null, 6000, null, null], series.Ttft.P50.Select(Rounded));
        Assert.Equal([null, null, null, 2500], series.Tpot.P99.Select(Rounded));
    }

    [Fact]
    public void The_time_to_the_first_token_counts_from_when_the_request_came()
    {
        var came = _time.GetTimestamp();
        Pass(seconds: 2);
        _log.Started(new("a"), Haiku, "haiku-0", "haiku", "", came);
        Pass(seconds: 1);
        _log.Tokens(new("a"), 1);

        Assert.Equal(3000, Assert.Single(_log.Journal()).TtftMilliseconds);
    }

    [Fact]
    public void What_is_older_than_fifteen_minutes_is_forgotten()
    {
        Start("a");
        _log.Ended(new("a"), RequestOutcome.Completed, 1, 1, 0);
        Pass(seconds: (15 * 60) - 1);
        Assert.Equal(1, _log.Snapshot().Total.Started.Sum());

        Pass(seconds: 5);

        var snapshot = _log.Snapshot();
        Assert.Equal(TrafficLog.Slots, snapshot.Total.Started.Count);
        Assert.Equal(0, snapshot.Total.Started.Sum());
        Assert.Empty(snapshot.Deployments);
    }

    [Fact]
    public void A_reader_who_has_the_older_slots_gets_the_newer_ones()
    {
        for (var i = 0; i < 4; i++)
        {
            Start($"{i}");
            Pass(seconds: 5);
        }

        var snapshot = _log.Snapshot(fromSlot: 3);

        Assert.Equal(3, snapshot.FirstSlot);
        Assert.Equal([1, 0], snapshot.Total.Started);
    }

    [Fact]
    public void A_moved_request_has_its_way_in_the_journal()
    {
        Start("a", "haiku-0", "team");
        _log.Tokens(new("a"), 7);
        Pass(seconds: 1);
        _log.Moved(new("a"), "haiku-0", "haiku-1", 7, "connection reset");
        _log.Tokens(new("a"), 3);
        _log.Ended(new("a"), RequestOutcome.Completed, 12, 10, null);

        var entry = Assert.Single(_log.Journal());

        Assert.Equal((10, "team", RequestOutcome.Completed), (entry.Tokens, entry.KeyName, entry.Outcome));
        Assert.Equal(
            [new RequestHop("haiku-0", null, 0, "", 0), new RequestHop("haiku-1", "haiku-0", 7, "connection reset", 1000)], entry.Hops);
        var replicas = _log.Snapshot().Replicas;
        Assert.Equal(["default/haiku-0:7", "default/haiku-1:3"], replicas.Select(r => $"{r.Replica}:{r.Tokens.Sum()}"));
        Assert.Equal(1, _log.Snapshot().Total.Moved.Sum());
    }

    [Fact]
    public void A_request_that_waited_for_a_replica_is_assigned_one()
    {
        Start("a", replica: null);
        Pass(seconds: 2);
        _log.Assigned(new("a"), "haiku-3");

        var hop = Assert.Single(Assert.Single(_log.Journal()).Hops);

        Assert.Equal(new RequestHop("haiku-3", null, 0, "", 2000), hop);
    }

    [Fact]
    public void An_answer_in_one_piece_counts_its_tokens_and_has_no_time_per_token()
    {
        Start("a");
        Pass(seconds: 3);
        _log.Ended(new("a"), RequestOutcome.Completed, 5, 40, 0);

        var entry = Assert.Single(_log.Journal());

        Assert.Equal((40, null, null, 3000.0), (entry.Tokens, entry.TtftMilliseconds, entry.TpotMilliseconds, entry.Milliseconds));
        Assert.Equal(40, _log.Snapshot().Total.Tokens.Sum());
    }

    [Fact]
    public void The_journal_keeps_the_last_256_newest_first_and_hands_out_what_changed()
    {
        for (var i = 0; i < 300; i++)
        {
            Start($"{i}");
        }

        var all = _log.Journal();
        Assert.Equal(256, all.Count);
        Assert.Equal("299", all[0].Id.Value);
        Assert.Equal("44", all[^1].Id.Value);

        _log.Tokens(new("100"), 1);
        var changed = Assert.Single(_log.Journal(all.Max(e => e.Version)));

        Assert.Equal("100", changed.Id.Value);
        Assert.Equal(300, _log.Snapshot().Running);
    }

    [Fact]
    public void What_is_told_of_unknown_requests_or_after_the_end_changes_nothing()
    {
        _log.Tokens(new("nobody"), 3);
        _log.Moved(new("nobody"), "a", "b", 1, "why");
        _log.Ended(new("nobody"), RequestOutcome.Failed, 1, 1, 1);
        Assert.Empty(_log.Snapshot().Deployments);

        Start("a");
        _log.Ended(new("a"), RequestOutcome.Cancelled, 1, 0, 0);
        _log.Tokens(new("a"), 5);
        _log.Ended(new("a"), RequestOutcome.Completed, 1, 5, 0);

        var entry = Assert.Single(_log.Journal());
        Assert.Equal((0, RequestOutcome.Cancelled), (entry.Tokens, entry.Outcome));
        Assert.Equal(0, _log.Snapshot().Total.Completed.Sum());
    }

    [Fact]
    public void A_prefix_hit_rate_is_of_what_was_looked_up_in_the_slot_and_counters_may_begin_anew()
    {
        NamespacedName replica = new("default", "haiku-0");
        _log.Scraped(replica, new ReplicaLoad(1, 0, 0.25, 1000, 900));
        Pass(seconds: 5);
        _log.Scraped(replica, new ReplicaLoad(2, 1, 0.5, 1100, 950));
        Pass(seconds: 5);
        _log.Scraped(replica, new ReplicaLoad(0, 0, 0, 40, 10));

        var traffic = Assert.Single(_log.Snapshot().Replicas);

        Assert.Equal([null, 0.5, 0.25], traffic.PrefixHitRate);
        Assert.Equal([0.25, 0.5, 0], traffic.KvUsage);
        Assert.Equal(new ReplicaLoad(0, 0, 0, 40, 10), traffic.Load);
    }

    [Fact]
    public void However_many_deployments_come_the_silent_ones_make_room()
    {
        Start("first");
        for (var i = 0; i < 500; i++)
        {
            NamespacedName deployment = new("default", $"d{i}");
            _log.Started(new($"r{i}"), deployment, $"p{i}", "m", "");
            _log.Ended(new($"r{i}"), RequestOutcome.Completed, 1, 1, 0);
            _log.Scraped(deployment, new ReplicaLoad(0, 0, 0, 0, 0));
        }

        var snapshot = _log.Snapshot();

        Assert.InRange(snapshot.Deployments.Count, 1, 64);
        Assert.InRange(snapshot.Replicas.Count, 1, 512);
        Assert.Contains(snapshot.Deployments, d => d.Deployment == Haiku && d.Running == 1);
    }

    [Fact]
    public async Task Many_threads_lose_nothing()
    {
        const int Threads = 8, Requests = 200, TokensOfEach = 10;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < Requests; i++)
            {
                RequestId id = new($"{thread}-{i}");
                _log.Started(id, Haiku, $"haiku-{thread}", "haiku", "");
                for (var token = 0; token < TokensOfEach; token++)
                {
                    _log.Tokens(id, 1);
                    _ = token == 5 ? _log.Snapshot() : null;
                }

                _log.Ended(id, RequestOutcome.Completed, 3, TokensOfEach, 1);
            }
        })));

        var snapshot = _log.Snapshot();
        Assert.Equal(0, snapshot.Running);
        Assert.Equal(Threads * Requests, snapshot.Total.Completed.Sum());
        Assert.Equal(Threads * Requests * TokensOfEach, snapshot.Total.Tokens.Sum());
        Assert.Equal(Threads * Requests * TokensOfEach, snapshot.Replicas.Sum(r => r.Tokens.Sum()));
    }

    private static double? Rounded(double? milliseconds) => milliseconds is { } value ? Math.Round(value / 500) * 500 : null;

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    private void Start(string id, string? replica = "haiku-0", string key = "") => _log.Started(new(id), Haiku, replica, "haiku", key);
}
