using System.Diagnostics;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>One rank's view of the barrier that a group shares: each rank counts its arrivals in a line of its own and waits until every
/// other count has reached the same number. Called by <see cref="HostCommunicator"/>, by one thread; waiting allocates nothing.</summary>
/// <remarks>
/// Counts never go back (after two days of steps they wrap around: only differences count), so there is no sense to reverse, and the line
/// that lags names the rank that is missing. Waiting spins for a while, then sleeps on the doorbell:
/// <code>
/// arriving: count up ─ fence ─ am I the last? ─ any sleepers? ─ ring
/// sleeping: sleepers up ─ fence ─ read doorbell ─ all here? ─ sleep if the doorbell is unchanged
/// </code>
/// Either the sleeper sees the last arrival or the last arrival sees the sleeper. Who sleeps looks after the missing ranks every
/// <see cref="Glance"/>.
/// </remarks>
internal sealed unsafe class RankBarrier(GroupHeader* header, RankLine* ranks, int rank, int size, TimeSpan timeout, IRankLiveness liveness)
{
    /// <summary>How long a dead rank may go unnoticed.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(200);

    /// <summary>Patience where each rank has a processor. Whoever sleeps comes back 30 to 100 µs late. By then the others wait for it, and
    /// with less patience than that fall asleep in turn: each barrier costs a waking for as long as they go on.</summary>
    private static readonly long LongSpinTicks = Stopwatch.Frequency * 3 / 10_000; // 300 µs

    /// <summary>Where ranks share a processor, the missing one may be waiting for it, and every barrier would cost the whole time. Yielding
    /// instead of sleeping is no better: what else runs there takes its full turn.</summary>
    private static readonly long ShortSpinTicks = Stopwatch.Frequency / 100_000; // 10 µs

    private readonly long _spinTicks = size <= Environment.ProcessorCount ? LongSpinTicks : ShortSpinTicks;

    private int _generation = ranks[rank].Arrived;

    /// <summary>Returns when every rank has arrived with the same call.</summary>
    /// <exception cref="RankLostException">A rank is gone, or silent for longer than the timeout.</exception>
    /// <exception cref="InvalidOperationException">Another rank makes another call.</exception>
    public void Wait(long call)
    {
        ThrowIfBroken();
        _generation++;
        var line = ranks + rank;
        line->Calls[_generation & 1] = call;
        Interlocked.Exchange(ref line->Arrived, _generation);
        if (FirstMissing() < 0)
        {
            Ring();
        }
        else
        {
            AwaitOthers();
        }

        RequireSameCalls(call);
    }

    /// <summary>Tells the others that this rank will not call again.</summary>
    public void Leave()
    {
        Interlocked.Exchange(ref ranks[rank].State, RankLine.Left);
        Ring();
    }

    private void Ring()
    {
        if (Volatile.Read(ref header->Sleepers) != 0)
        {
            Interlocked.Increment(ref header->Doorbell);
            Futex.WakeAll(&header->Doorbell);
        }
    }

    private bool HasArrived(int other) => Volatile.Read(ref ranks[other].Arrived) - _generation >= 0;

    private int FirstMissing()
    {
        for (var other = 0; other < size; other++)
        {
            if (!HasArrived(other))
            {
                return other;
            }
        }

        return -1;
    }

    private void AwaitOthers()
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() - start < _spinTicks)
        {
            if (FirstMissing() < 0)
            {
                return;
            }

            Thread.SpinWait(8);
        }

        Interlocked.Increment(ref header->Sleepers);
        try
        {
            while (true)
            {
                var doorbell = Volatile.Read(ref header->Doorbell);
                if (FirstMissing() < 0)
                {
                    return;
                }

                var waited = Stopwatch.GetElapsedTime(start);
                LookAfterMissing(waited);
                Futex.Sleep(
                    &header->Doorbell, doorbell,
                    timeout != Timeout.InfiniteTimeSpan && timeout - waited < Glance ? timeout - waited : Glance);
            }
        }
        finally
        {
            Interlocked.Decrement(ref header->Sleepers);
        }
    }

    private void LookAfterMissing(TimeSpan waited)
    {
        ThrowIfBroken();
        for (var other = 0; other < size; other++)
        {
            if (HasArrived(other))
            {
                continue;
            }

            var reason = ReasonOf(other, waited);

            // Looked at again: it may have arrived, finished and left since.
            if (reason != LossReason.None && !HasArrived(other))
            {
                Interlocked.CompareExchange(ref header->Loss, new RankLoss(other, reason).Pack(), 0);
                Ring();
                ThrowIfBroken();
            }
        }
    }

    private LossReason ReasonOf(int other, TimeSpan waited)
    {
        var state = Volatile.Read(ref ranks[other].State);
        var expired = timeout != Timeout.InfiniteTimeSpan && waited >= timeout;
        return state switch
        {
            RankLine.Left => LossReason.Left,
            RankLine.Absent => !liveness.CanJoin() ? LossReason.Refused : expired ? LossReason.NeverJoined : LossReason.None,
            _ => !liveness.IsAlive(other) ? LossReason.Ended : expired ? LossReason.Silent : LossReason.None,
        };
    }

    private void ThrowIfBroken()
    {
        var loss = Volatile.Read(ref header->Loss);
        if (loss != 0)
        {
            var lost = RankLoss.Unpack(loss);
            throw lost.ToException(Volatile.Read(ref ranks[lost.Rank].ProcessId), timeout);
        }
    }

    private void RequireSameCalls(long call)
    {
        for (var other = 0; other < size; other++)
        {
            var theirs = ranks[other].Calls[_generation & 1];
            if (theirs != call)
            {
                throw new InvalidOperationException(
                    $"rank {other} calls {CollectiveCall.Describe(theirs)}, rank {rank} {CollectiveCall.Describe(call)}: ranks must "
                    + "make the same calls in the same order");
            }
        }
    }
}
