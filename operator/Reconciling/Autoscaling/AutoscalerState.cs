using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>What <see cref="Autoscaler"/> has decided and has to remember. The status has what another operator must go on
/// from; the fields after it only pace what is done, and begin anew.</summary>
/// <param name="Desired">Replicas that are wanted.</param>
/// <param name="Message">Why the number was last changed.</param>
/// <param name="ChangedAt">When that was; null for a number that was only begun with.</param>
internal sealed record AutoscalerState(int Desired, string Message, DateTimeOffset? ChangedAt)
{
    /// <summary>How long fewer replicas must have been enough before the status says so: demand that goes to and fro would have it written
    /// every second. An operator that restarts waits that much longer at most.</summary>
    private static readonly TimeSpan WorthWriting = TimeSpan.FromSeconds(15);

    /// <summary>Since when fewer replicas are enough.</summary>
    public DateTimeOffset? LowSince { get; init; }

    /// <summary>Most that were needed since.</summary>
    public int LowPeak { get; init; }

    /// <summary>Requests that a replica runs at once while others wait.</summary>
    public double? RequestsPerReplica { get; init; }

    /// <summary>Demand asks for more than maxReplicas.</summary>
    public bool IsLimited { get; init; }

    /// <summary>Why demand is not known; null when it is.</summary>
    public string? Missing { get; init; }

    /// <summary>Most requests that were running since <see cref="LowSince"/>.</summary>
    public int LowRunning { get; init; }

    /// <summary>By queue: to how many replicas it went last, and what had been running before.</summary>
    public (int Replicas, int Running)? Tried { get; init; }

    /// <summary>By queue: so many running requests have been seen to need so many replicas, because fewer were tried.</summary>
    public (int Replicas, int Running)? Proven { get; init; }

    /// <summary>Beginning of the time within which replicas may be added only so fast, and how many there were.</summary>
    public (DateTimeOffset Since, int From)? Step { get; init; }

    /// <summary>Since when as many replicas as wanted are ready.</summary>
    public DateTimeOffset? SettledSince { get; init; }

    /// <summary>What it begins with: what the status remembers, else the pods there are, for one that had a fixed number until now must not
    /// lose them at once.</summary>
    /// <param name="pods">Pods it has.</param>
    public static AutoscalerState Begin(AutoscalingSpec spec, AutoscalingStatus? status, int pods)
    {
        if (status is null)
        {
            var first = Math.Clamp(pods, spec.Least(), Math.Max(spec.Least(), spec.MaxReplicas));
            return new AutoscalerState(first, $"begins with {Autoscaler.Replicas(first)}", null);
        }

        return new AutoscalerState(status.DesiredReplicas, status.Message ?? "", status.LastScaleTime)
        {
            LowSince = status.LowSince,
            LowPeak = status.LowPeak ?? 0,
            RequestsPerReplica = status.RequestsPerReplica,
        };
    }

    /// <param name="written">What the status says now.</param>
    public AutoscalingStatus ToStatus(AutoscalingStatus? written, DateTimeOffset now)
    {
        var isWorth = LowSince is { } since && (now - since >= WorthWriting || written?.LowSince == Whole(since));
        var isChange = written is null || written.DesiredReplicas != Desired;
        return new AutoscalingStatus
        {
            DesiredReplicas = Desired,
            Message = Message,
            LastScaleTime = Whole(ChangedAt),
            LowSince = isWorth ? Whole(LowSince) : null,
            LowPeak = isWorth ? LowPeak : null,

            // It moves with every look; written with what is news.
            RequestsPerReplica = isChange || isWorth ? RequestsPerReplica : written!.RequestsPerReplica,
        };
    }

    private static DateTimeOffset? Whole(DateTimeOffset? time) =>
        time is { } value ? new DateTimeOffset(value.Ticks - (value.Ticks % TimeSpan.TicksPerSecond), value.Offset) : null;
}
