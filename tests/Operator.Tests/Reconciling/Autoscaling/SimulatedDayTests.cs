using Cluster.Operator.Api;

namespace Cluster.Operator.Tests.Reconciling.Autoscaling;

/// <summary>What holds over whole days of traffic, whatever it is.</summary>
public sealed class SimulatedDayTests(ITestOutputHelper output)
{
    private const int Window = 600;

    /// <summary>From none to the most: 4, 8, 16, a step every 15 seconds.</summary>
    private const int StepsToTheTop = 3 * 15;

    public static TheoryData<int, bool, bool, bool> Days
    {
        get
        {
            TheoryData<int, bool, bool, bool> days = [];
            foreach (var seed in Enumerable.Range(1, 6))
            {
                days.Add(seed, true, seed % 2 == 0, seed % 3 == 0);
                days.Add(seed, false, seed % 2 == 0, seed % 3 == 0);
            }

            return days;
        }
    }

    [Theory, MemberData(nameof(Days))]
    public void Replicas_follow_a_day_of_traffic_without_thrash(int seed, bool byTokens, bool restarts, bool losesGateways)
    {
        AutoscalingSpec spec = new()
        {
            MinReplicas = 0,
            MaxReplicas = 12,
            TargetOutstandingTokens = byTokens ? 4000 : null,
            TargetQueueSeconds = byTokens ? null : 2,
            ScaleDownAfter = "10m",
        };
        SimulatedDay day = new(seed, spec);
        day.Run(busiest: 3, restarts, losesGateways);

        Assert.All(day.Seen, seen => Assert.InRange(seen.Desired, 0, 12));
        Assert.Contains(day.Seen, seen => seen.Desired >= 3);
        Assert.Equal(0, day.Seen[^1].Desired);
        Assert.InRange(day.Seen.Take(2 * 3600).Max(seen => seen.Desired), 0, 0);
        NeverFewerSoon(day, restarts);
        if (byTokens)
        {
            NeverBelowDemandForLong(day);
        }

        // The rate is another one 123 times.
        Assert.InRange(day.Changes.Count, 2, 2 * 123);
        Tell(day);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    public void A_steady_day_is_followed_in_few_steps(int seed, bool byTokens)
    {
        SimulatedDay day = new(seed, new AutoscalingSpec
        {
            MinReplicas = 0,
            MaxReplicas = 12,
            TargetOutstandingTokens = byTokens ? 4000 : null,
            TargetQueueSeconds = byTokens ? null : 2,
            ScaleDownAfter = "10m",
        }, isUnsteady: false);
        day.Run(busiest: 3);

        Tell(day);
        Assert.Contains(day.Seen, seen => seen.Desired >= 3);
        Assert.InRange(day.Changes.Count, 2, 80);
    }

    private void Tell(SimulatedDay day) => output.WriteLine(
        $"{day.Requests} requests, {day.Changes.Count} changes ({day.Changes.Count(c => c.To < c.From)} down) where the need was another one "
        + $"{day.ChangesOfNeed} times, longest wait {day.MaxQueueSeconds} s, most replicas {day.Seen.Max(s => s.Desired)}");

    [Fact]
    public void Nothing_changes_without_requests()
    {
        SimulatedDay day = new(1, new AutoscalingSpec { MinReplicas = 0, MaxReplicas = 4, TargetOutstandingTokens = 1000 });
        day.Run(busiest: 0);
        Assert.Empty(day.Changes);
    }

    /// <summary>No replica goes within the window after the last change, nor while demand is not known.</summary>
    private static void NeverFewerSoon(SimulatedDay day, bool restarts)
    {
        for (var i = 1; i < day.Changes.Count; i++)
        {
            var (before, now) = (day.Changes[i - 1], day.Changes[i]);
            if (now.To < now.From)
            {
                // The status has whole seconds.
                Assert.True(now.At - before.At >= Window - (restarts ? 1 : 0), $"{before} and then {now}");
                Assert.DoesNotContain(day.Seen.GetRange(now.At - Window, Window), seen => seen.Unknown);
            }
        }
    }

    private static void NeverBelowDemandForLong(SimulatedDay day)
    {
        var below = 0;
        foreach (var (needed, desired, unknown) in day.Seen)
        {
            below = desired < Math.Min(needed, 12) && !unknown ? below + 1 : 0;
            Assert.True(below <= StepsToTheTop, $"{needed} needed, {desired} wanted for {below} s");
        }
    }
}
