using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Models.Ranks;

/// <summary>Rank 0 of a tensor-parallel group as a runner: tells every step to the ranks that follow (<see cref="FollowerLoop"/>) and computes its own part.
/// Called by the engine's thread or the device's; owns its part and the other ranks.</summary>
/// <remarks>While there are no steps, it lets all ranks meet in a barrier now and then. So neither side takes an idle hour for a lost rank, and a rank that stops
/// answering is found before a request needs it.</remarks>
internal sealed class LeadingRunner : DelegatingRunner
{
    private readonly Communicator communicator;
    private readonly IRankSupervisor supervisor;
    private readonly TimeProvider time;
    private readonly TimeSpan pulseInterval;
    private readonly StepMessage message;
    private readonly ITimer pulse;
    private readonly Lock gate = new();
    private long lastMessage;
    private bool outOfStep;
    private bool disposed;

    /// <param name="own">Rank 0's part of the model.</param>
    /// <param name="communicator">Rank 0's end of the group; owned, too.</param>
    /// <param name="pulseInterval">Longest silence between the ranks; well below what they take for a loss.</param>
    public LeadingRunner(IModelRunner own, Communicator communicator, IRankSupervisor supervisor, TimeSpan pulseInterval, TimeProvider time)
        : base(own)
    {
        this.communicator = communicator;
        this.supervisor = supervisor;
        this.time = time;
        this.pulseInterval = pulseInterval;
        message = new StepMessage(own);
        lastMessage = time.GetTimestamp();
        pulse = time.CreateTimer(_ => Pulse(), null, pulseInterval, pulseInterval);
    }

    /// <exception cref="RankLostException">Another rank is gone; the message says which, and how it ended.</exception>
    public override void Launch(StepBatch batch)
    {
        lock (gate)
        {
            ThrowIfLost();
            try
            {
                message.Send(batch, communicator);
                outOfStep = true;
                base.Launch(batch);
                outOfStep = false;
            }
            catch (RankLostException exception)
            {
                throw supervisor.Report(exception);
            }

            lastMessage = time.GetTimestamp();
        }
    }

    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public override ReadOnlySpan<float> WaitForLogits()
    {
        try
        {
            return base.WaitForLogits();
        }
        catch (RankLostException exception)
        {
            throw supervisor.Report(exception);
        }
    }

    /// <summary>Tells the other ranks to end and waits until they have; those that cannot be told are ended.</summary>
    public override void Dispose()
    {
        pulse.Dispose();
        lock (gate)
        {
            if (disposed)
            {
                return;
            }

            disposed = true;
            Tell(StepMessageKind.Stop);
        }

        supervisor.Dispose();
        base.Dispose();
        communicator.Dispose();
    }

    private void Pulse()
    {
        // A step in progress shows as much as a pulse would.
        if (!gate.TryEnter())
        {
            return;
        }

        try
        {
            if (!disposed && time.GetElapsedTime(lastMessage) >= pulseInterval)
            {
                Tell(StepMessageKind.Pulse);
                lastMessage = time.GetTimestamp();
            }
        }
        finally
        {
            gate.Exit();
        }
    }

    private void Tell(StepMessageKind kind)
    {
        // After a failure of rank 0 alone the others wait in the middle of a step, where they would take a message for a part of it.
        if (supervisor.Loss is not null || outOfStep)
        {
            return;
        }

        try
        {
            message.Send(kind, communicator);
            if (kind == StepMessageKind.Pulse)
            {
                communicator.Barrier();
            }
        }
        catch (RankLostException exception)
        {
            supervisor.Report(exception);
        }
    }

    private void ThrowIfLost()
    {
        if (supervisor.Loss is { } loss)
        {
            throw loss;
        }
    }
}
