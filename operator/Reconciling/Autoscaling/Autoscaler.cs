using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>Decides how many replicas a deployment with <c>spec.autoscaling</c> shall have. No I/O, no clock: same input, same
/// decision.</summary>
/// <remarks>
/// <code>
/// 1. bounds      minReplicas and maxReplicas hold at once, whatever demand is
/// 2. more        what demand asks for, a tenth above the target or more; at most double or four more in 15 seconds.
///                At zero: as soon as anything waits
/// 3. fewer       only when fewer have been enough, by a tenth, for all of scaleDownAfter: down to the most that were needed in that time.
///                Demand that is not known whole is no reason, and begins that time anew
/// 4. none        only when, besides, no request has come for scaleDownAfter
/// </code>
/// Between 2 and 3 lies a band in which nothing changes, and after each change the time of 3 begins anew: load that goes to and fro
/// changes nothing, and no two steps down are closer than scaleDownAfter.
/// By targetOutstandingTokens the need is the tokens over the target. By targetQueueSeconds nobody can say how many replicas make a queue
/// short, so some are added as long as it is too long and those there are have settled. How many the running requests need is learnt from
/// how many a replica ran while others waited; and where fewer were tried and a queue came of it, they are not tried again while about as
/// many requests run.
/// </remarks>
internal static class Autoscaler
{
    /// <summary>A tenth, as the HorizontalPodAutoscaler has it.</summary>
    private const double Tolerance = 0.1;

    private const int StepFactor = 2;
    private const int StepLeast = 4;

    /// <summary>What was too much for fewer replicas is so as long as this part of it runs.</summary>
    private const double StillAsMany = 0.8;

    /// <summary>How much the last look counts for what a replica can run at once.</summary>
    private const double LearningRate = 0.3;

    /// <summary>Replicas are added only so fast within this time.</summary>
    public static readonly TimeSpan StepTime = TimeSpan.FromSeconds(15);

    /// <param name="ready">Replicas that answer requests.</param>
    /// <param name="before">As this returned it last, or <see cref="AutoscalerState.Begin"/>.</param>
    public static AutoscalerState Decide(AutoscalingSpec spec, Demand demand, int ready, AutoscalerState before, DateTimeOffset now)
    {
        var state = Bound(spec, before, now) with { Missing = demand.Missing };
        state = Learn(demand, ready, state) with
        {
            SettledSince = ready >= state.Desired ? state.SettledSince ?? now : null,
            Step = state.Step is { } step && now - step.Since >= StepTime ? null : state.Step,
        };
        var (atLeast, enough, why) = spec.TargetOutstandingTokens is { } tokens
            ? ByTokens(tokens, demand, state)
            : ByQueue(spec.TargetQueueSeconds ?? double.MaxValue, demand, state, now);
        state = state with { IsLimited = atLeast > spec.MaxReplicas || (state.IsLimited && enough >= spec.MaxReplicas) };
        return atLeast > state.Desired ? Raise(spec, atLeast, why, state, now) : Lower(spec, demand, enough, state, now);
    }

    /// <summary>A number of replicas in words.</summary>
    public static string Replicas(int count) => count == 1 ? "1 replica" : string.Create(CultureInfo.InvariantCulture, $"{count} replicas");

    private static AutoscalerState Bound(AutoscalingSpec spec, AutoscalerState state, DateTimeOffset now) =>
        state.Desired < spec.Least() ? Change(state, spec.Least(), $"minReplicas is {spec.Least()}", now)
        : state.Desired > spec.MaxReplicas ? Change(state, spec.MaxReplicas, $"maxReplicas is {spec.MaxReplicas}", now)
        : state;

    private static AutoscalerState Learn(Demand demand, int ready, AutoscalerState state)
    {
        if (demand.Queued == 0 || demand.Running == 0 || ready == 0 || ready < state.Desired || demand.Missing is not null)
        {
            return state;
        }

        var seen = (double)demand.Running / ready;
        return state with
        {
            RequestsPerReplica = Math.Round(
                state.RequestsPerReplica is { } known ? known + (LearningRate * (seen - known)) : seen, 2),
        };
    }

    /// <returns>How many are needed at least, how many would be enough, and why more are needed.</returns>
    private static (int AtLeast, int Enough, string Why) ByTokens(long target, Demand demand, AutoscalerState state)
    {
        var need = (double)demand.OutstandingTokens / target;
        var any = demand.Queued > 0 || demand.Running > 0 || demand.OutstandingTokens > 0 ? 1 : 0;
        var isMore = Count(need / (1 + Tolerance)) > state.Desired;
        return (
            Math.Max(any, isMore ? Count(need) : 0),
            Math.Max(any, Count(need / (1 - Tolerance))),
            state.Desired == 0
                ? Waiting(demand)
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{demand.OutstandingTokens} tokens were outstanding, and {target} a replica are the target"));
    }

    private static (int AtLeast, int Enough, string Why) ByQueue(
        double target, Demand demand, AutoscalerState state, DateTimeOffset now)
    {
        var any = demand.Queued > 0 || demand.Running > 0 ? 1 : 0;
        if (state.Desired == 0)
        {
            return (any, any, Waiting(demand));
        }

        // What those that are starting will change is not known yet.
        var hasSettled = state.SettledSince is { } since && now - since >= StepTime;
        var excess = demand.OldestQueuedSeconds / target;
        var more = demand.Queued > 0 && excess > 1 && hasSettled
            ? state.Desired + Math.Max(1, Count(state.Desired * Math.Min(excess - 1, 1)))
            : any;
        var enough = demand.Queued > 0 ? state.Desired
            : demand.Running == 0 ? 0
            : state.RequestsPerReplica is > 0 and { } each ? Math.Max(1, Count(demand.Running / (each * (1 - Tolerance))))
            : Math.Max(1, state.Desired - 1);
        if (state.Proven is { } proven && demand.Running >= proven.Running * StillAsMany && proven.Running > 0)
        {
            enough = Math.Max(enough, proven.Replicas);
        }

        return (
            more, enough,
            string.Create(
                CultureInfo.InvariantCulture,
                $"a request had waited for {demand.OldestQueuedSeconds:0.#} s, and {target:0.#} s are the target"));
    }

    private static string Waiting(Demand demand) =>
        demand.Queued switch { 0 => "there is a request", 1 => "a request waits", var n => $"{n} requests wait" };

    private static AutoscalerState Raise(AutoscalingSpec spec, int need, string why, AutoscalerState state, DateTimeOffset now)
    {
        var step = state.Step ?? (now, state.Desired);
        var allowed = Math.Max((long)step.From * StepFactor, (long)step.From + StepLeast);
        var next = (int)Math.Min(Math.Min(need, spec.MaxReplicas), allowed);
        var high = state with
        {
            LowSince = null,
            LowPeak = 0,
            Proven = state.Tried is { } tried && tried.Replicas == state.Desired ? (tried.Replicas + 1, tried.Running) : state.Proven,
            Tried = null,
        };
        return next > state.Desired ? Change(high, next, why, now) with { Step = step } : high;
    }

    private static AutoscalerState Lower(AutoscalingSpec spec, Demand demand, int enough, AutoscalerState state, DateTimeOffset now)
    {
        enough = Math.Max(enough, spec.Least());
        if (demand.Missing is not null || enough >= state.Desired)
        {
            return state with { LowSince = null, LowPeak = 0 };
        }

        var since = state.LowSince ?? now;
        var peak = state.LowSince is null ? enough : Math.Max(state.LowPeak, enough);
        var running = Math.Max(state.LowSince is null ? 0 : state.LowRunning, demand.Running);
        var low = state with { LowSince = since, LowPeak = peak, LowRunning = running };
        if (peak >= state.Desired)
        {
            return state with { LowSince = null, LowPeak = 0 }; // It was wanted down to there by a status of another spec.
        }

        if (now - since < spec.Window())
        {
            return low;
        }

        // Requests that come and go between two looks are seen by the gateways alone.
        var isIdle = (demand.SecondsSinceLastRequest ?? double.MaxValue) >= spec.Window().TotalSeconds;
        var next = peak == 0 && !isIdle ? 1 : peak;
        var window = Durations.Text(spec.Window());
        if (next >= state.Desired)
        {
            return low;
        }

        var why = next == 0 ? $"no request for {window}" : $"{(next == 1 ? "1 was" : $"{next} were")} enough for {window}";
        return Change(state, next, why, now) with { Tried = spec.TargetQueueSeconds is null || next == 0 ? null : (next, running) };
    }

    private static AutoscalerState Change(AutoscalerState state, int desired, string why, DateTimeOffset now) => state with
    {
        Desired = desired,
        Message = string.Create(
            CultureInfo.InvariantCulture, $"{(desired > state.Desired ? "raised" : "lowered")} from {state.Desired} to {desired}: {why}"),
        ChangedAt = now,
        LowSince = null,
        LowPeak = 0,
        SettledSince = null,
    };

    /// <summary>Replicas that so much of one takes; a rounding error is none.</summary>
    private static int Count(double need) => (int)Math.Min(int.MaxValue, Math.Ceiling(need - 1e-9));
}
