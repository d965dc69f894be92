using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Autoscaling;

namespace Cluster.Operator.Tests.Reconciling.Autoscaling;

/// <summary>How many replicas demand makes. Each test is a deployment whose replicas are ready at once.</summary>
public sealed class AutoscalerTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private AutoscalingSpec _spec = new() { MinReplicas = 0, MaxReplicas = 8, TargetOutstandingTokens = 1000, ScaleDownAfter = "10m" };
    private AutoscalerState _state = new(0, "", null);
    private DateTimeOffset _now = Start;

    [Fact]
    public void From_zero_the_first_request_starts_a_replica_at_once()
    {
        Look(Tokens(0));
        Assert.Equal(0, _state.Desired);

        Look(Demand.None with { Queued = 1 });
        Assert.Equal((1, "raised from 0 to 1: a request waits"), (_state.Desired, _state.Message));
    }

    [Fact]
    public void From_zero_a_burst_starts_as_many_as_it_needs_within_a_step()
    {
        Look(Tokens(2500, queued: 7));
        Assert.Equal((3, "raised from 0 to 3: 7 requests wait"), (_state.Desired, _state.Message));

        _state = new AutoscalerState(0, "", null);
        Look(Tokens(80_000, queued: 90));
        Assert.Equal(4, _state.Desired);
    }

    [Fact]
    public void More_tokens_than_the_target_raise_it_and_a_tenth_more_do_not()
    {
        Begin(2);
        Look(Tokens(2200));
        Assert.Equal(2, _state.Desired);

        Look(Tokens(2201));
        Assert.Equal(
            (3, "raised from 2 to 3: 2201 tokens were outstanding, and 1000 a replica are the target"), (_state.Desired, _state.Message));
    }

    [Fact]
    public void Within_15_seconds_at_most_twice_as_many_or_four_more_are_added()
    {
        _spec.MaxReplicas = 100;
        Begin(6);
        Look(Tokens(90_000));
        Look(Tokens(90_000), seconds: 14);
        Assert.Equal(12, _state.Desired);

        Look(Tokens(90_000), seconds: 1);
        Assert.Equal(24, _state.Desired);
        Begin(1);
        Look(Tokens(90_000));
        Assert.Equal(5, _state.Desired);
    }

    [Fact]
    public void Never_above_maxReplicas_and_it_says_so_while_more_are_wanted()
    {
        Begin(7);
        Look(Tokens(50_000));
        Assert.Equal((8, true), (_state.Desired, _state.IsLimited));

        Look(Tokens(5000), seconds: 60);
        Assert.Equal((8, false), (_state.Desired, _state.IsLimited));
    }

    [Fact]
    public void Replicas_go_only_when_fewer_were_enough_for_all_of_the_window_and_then_down_to_the_most_that_were_needed()
    {
        Begin(5);
        Look(Tokens(1000));
        Look(Tokens(2500), seconds: 300);
        Look(Tokens(500), seconds: 299);
        Assert.Equal(5, _state.Desired);

        Look(Tokens(500), seconds: 1);
        Assert.Equal((3, "lowered from 5 to 3: 3 were enough for 10m"), (_state.Desired, _state.Message));

        // And the time begins anew.
        Look(Tokens(500), seconds: 599);
        Assert.Equal(3, _state.Desired);
        Look(Tokens(500), seconds: 601);
        Assert.Equal(1, _state.Desired);
    }

    [Fact]
    public void A_peak_begins_the_window_anew()
    {
        Begin(2);
        for (var i = 0; i < 20; i++)
        {
            Look(Tokens(100), seconds: 500);
            Look(Tokens(1950), seconds: 90);
        }

        Assert.Equal(2, _state.Desired);
    }

    [Fact]
    public void To_zero_only_when_no_request_has_come_for_the_window()
    {
        Begin(1);
        Look(Tokens(0) with { SecondsSinceLastRequest = 3 });
        Look(Tokens(0) with { SecondsSinceLastRequest = 599 }, seconds: 3600);
        Assert.Equal(1, _state.Desired);

        Look(Tokens(0) with { SecondsSinceLastRequest = 600 }, seconds: 1);
        Assert.Equal((0, "lowered from 1 to 0: no request for 10m"), (_state.Desired, _state.Message));
    }

    [Fact]
    public void Many_idle_replicas_keep_one_where_short_requests_came_unseen()
    {
        Begin(3);
        Look(Tokens(0));
        Look(Tokens(0) with { SecondsSinceLastRequest = 20 }, seconds: 600);
        Assert.Equal(1, _state.Desired);
    }

    [Fact]
    public void MinReplicas_stay_without_a_request()
    {
        _spec.MinReplicas = null;
        Begin(3);
        Look(Tokens(0));
        Look(Tokens(0), seconds: 86_400);
        Look(Tokens(0), seconds: 86_400);
        Assert.Equal(1, _state.Desired);
    }

    [Fact]
    public void Demand_that_is_not_known_takes_nothing_away_and_begins_the_window_anew()
    {
        Begin(4);
        Look(Tokens(0));
        Look(Demand.Unknown("gateway a does not answer"), seconds: 3600);
        Assert.Equal((4, "gateway a does not answer"), (_state.Desired, _state.Missing));

        Look(Tokens(0), seconds: 1);
        Look(Tokens(0), seconds: 599);
        Assert.Equal(4, _state.Desired);
        Look(Tokens(0), seconds: 1);
        Assert.Equal(0, _state.Desired);
    }

    [Fact]
    public void What_is_known_of_demand_adds_replicas_though_a_gateway_is_missing()
    {
        Begin(1);
        Look(Tokens(3000) with { Missing = "gateway a does not answer" });
        Assert.Equal(3, _state.Desired);
    }

    [Fact]
    public void Other_bounds_hold_at_once_whatever_is_known()
    {
        Begin(6);
        _spec.MaxReplicas = 2;
        Look(Demand.Unknown("there is no gateway"));
        Assert.Equal((2, "lowered from 6 to 2: maxReplicas is 2"), (_state.Desired, _state.Message));

        (_spec.MinReplicas, _spec.MaxReplicas) = (5, 5);
        Look(Demand.Unknown("there is no gateway"));
        Assert.Equal(5, _state.Desired);
    }

    [Fact]
    public void By_queue_replicas_are_added_while_the_oldest_request_waits_too_long_and_those_there_are_have_settled()
    {
        ByQueue(seconds: 2);
        Begin(2);
        Look(Waiting(9, running: 16, oldest: 2.5), seconds: 15);
        Assert.Equal(2, _state.Desired); // They were ready only just now.
        Look(Waiting(9, running: 16, oldest: 2.5), seconds: 15);
        Assert.Equal((3, "raised from 2 to 3: a request had waited for 2.5 s, and 2 s are the target"), (_state.Desired, _state.Message));

        // The third one is loading.
        Look(Waiting(90, running: 16, oldest: 60), seconds: 120, ready: 2);
        Assert.Equal(3, _state.Desired);
        Look(Waiting(90, running: 24, oldest: 60));
        Look(Waiting(90, running: 24, oldest: 60), seconds: 15);
        Assert.Equal(6, _state.Desired);
    }

    [Fact]
    public void By_queue_what_a_replica_ran_while_others_waited_says_how_many_the_running_requests_need()
    {
        ByQueue(seconds: 2);
        Begin(4);
        Look(Waiting(1, running: 32, oldest: 0.5));
        Assert.Equal(8, _state.RequestsPerReplica);

        // 15 requests at 8 a replica, and a tenth to spare, are 3 replicas.
        Look(Waiting(0, running: 15, oldest: 0), seconds: 1);
        Look(Waiting(0, running: 15, oldest: 0), seconds: 600);
        Assert.Equal(3, _state.Desired);
    }

    [Fact]
    public void By_queue_one_goes_at_a_time_while_nobody_knows_what_a_replica_can_run()
    {
        ByQueue(seconds: 2);
        Begin(4);
        Look(Waiting(0, running: 4, oldest: 0));
        Look(Waiting(0, running: 4, oldest: 0), seconds: 600);
        Assert.Equal(3, _state.Desired);
    }

    [Fact]
    public void By_queue_what_proved_too_few_is_not_tried_again_while_as_many_requests_run()
    {
        ByQueue(seconds: 2);
        Begin(3);
        Look(Waiting(0, running: 20, oldest: 0));
        Look(Waiting(0, running: 20, oldest: 0), seconds: 600);
        Assert.Equal(2, _state.Desired);
        Look(Waiting(5, running: 32, oldest: 3), seconds: 1);
        Look(Waiting(5, running: 32, oldest: 3), seconds: 15);
        Assert.Equal(3, _state.Desired);

        for (var i = 0; i < 10; i++)
        {
            Look(Waiting(0, running: 18, oldest: 0), seconds: 600);
        }

        Assert.Equal(3, _state.Desired);
        Look(Waiting(0, running: 15, oldest: 0), seconds: 1);
        Look(Waiting(0, running: 15, oldest: 0), seconds: 600);
        Assert.Equal(2, _state.Desired);
    }

    [Fact]
    public void Another_operator_goes_on_from_the_status()
    {
        Begin(5);
        Look(Tokens(1500));
        Look(Tokens(1500), seconds: 400);
        var status = _state.ToStatus(null, _now);
        Assert.Equal((5, Start, 2), (status.DesiredReplicas, status.LowSince, status.LowPeak));

        _state = AutoscalerState.Begin(_spec, status, pods: 5);
        Look(Tokens(1000), seconds: 199);
        Assert.Equal(5, _state.Desired);
        Look(Tokens(1000), seconds: 1);
        Assert.Equal(2, _state.Desired);
    }

    [Fact]
    public void A_lull_of_seconds_is_not_written_down()
    {
        Begin(5);
        var written = _state.ToStatus(null, _now);
        Look(Tokens(1500));
        Look(Tokens(1500), seconds: 14);
        Assert.Null(_state.ToStatus(written, _now).LowSince);
        Look(Tokens(1500), seconds: 1);
        Assert.Equal(Start, _state.ToStatus(written, _now).LowSince);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(3, 0, 3)]
    [InlineData(9, 0, 8)]
    [InlineData(0, 2, 2)]
    public void It_begins_with_the_pods_there_are_within_the_bounds(int pods, int least, int desired)
    {
        _spec.MinReplicas = least;
        Assert.Equal(desired, AutoscalerState.Begin(_spec, null, pods).Desired);
    }

    private void ByQueue(double seconds) => _spec = new AutoscalingSpec
    {
        MinReplicas = 0,
        MaxReplicas = 8,
        TargetQueueSeconds = seconds,
        ScaleDownAfter = "10m"
    };

    private void Begin(int replicas)
    {
        _state = new AutoscalerState(replicas, "", null);
        _now = Start;
    }

    private void Look(Demand demand, int seconds = 0, int? ready = null)
    {
        _now += TimeSpan.FromSeconds(seconds);
        _state = Autoscaler.Decide(_spec, demand, ready ?? _state.Desired, _state, _now);
    }

    private static Demand Tokens(long tokens, int queued = 0) => Demand.None with { OutstandingTokens = tokens, Queued = queued };

    private static Demand Waiting(int queued, int running, double oldest) =>
        Demand.None with { Queued = queued, Running = running, OldestQueuedSeconds = oldest };
}
