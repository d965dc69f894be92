using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>Rank 0 of a tensor-parallel group as a runner: tells every step to the ranks that follow (<see cref="FollowerLoop"/>) and
/// computes its own part. Called by the engine's thread or the device's; owns its part and the other ranks.</summary>
/// <remarks>While there are no steps, it lets all ranks meet in a barrier now and then. So neither side takes an idle hour for a lost rank,
/// and a rank that stops answering is found before a request needs it.</remarks>
internal sealed class LeadingRunner : DelegatingRunner
{
    private readonly Communicator _communicator;
    private readonly IRankSupervisor _supervisor;
    private readonly TimeProvider _time;
    private readonly TimeSpan _pulseInterval;
    private readonly StepMessage _message;
    private readonly ITimer _pulse;
    private readonly Lock _gate = new();
    private long _lastMessage;
    private bool _outOfStep;
    private bool _disposed;

    /// <param name="own">Rank 0's part of the model.</param>
    /// <param name="communicator">Rank 0's end of the group; owned, too.</param>
    /// <param name="pulseInterval">Longest silence between the ranks; well below what they take for a loss.</param>
    public LeadingRunner(IModelRunner own, Communicator communicator, IRankSupervisor supervisor, TimeSpan pulseInterval, TimeProvider time)
        : base(own)
    {
        _communicator = communicator;
        _supervisor = supervisor;
        _time = time;
        _pulseInterval = pulseInterval;
        _message = new StepMessage(own);
        _lastMessage = time.GetTimestamp();
        _pulse = time.CreateTimer(_ => Pulse(), null, pulseInterval, pulseInterval);
    }

    /// <exception cref="RankLostException">Another rank is gone; the message says which, and how it ended.</exception>
    public override void Launch(StepBatch batch)
    {
        lock (_gate)
        {
            ThrowIfLost();
            try
            {
                _message.Send(batch, _communicator);
                _outOfStep = true;
                base.Launch(batch);
                _outOfStep = false;
            }
            catch (RankLostException exception)
            {
                throw _supervisor.Report(exception);
            }

            _lastMessage = _time.GetTimestamp();
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
            throw _supervisor.Report(exception);
        }
    }

    /// <summary>Tells the other ranks to end and waits until they have; those that cannot be told are ended.</summary>
    public override void Dispose()
    {
        _pulse.Dispose();
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            Tell(StepMessageKind.Stop);
        }

        _supervisor.Dispose();
        base.Dispose();
        _communicator.Dispose();
    }

    private void Pulse()
    {
        // A step in progress shows as much as a pulse would.
        if (!_gate.TryEnter())
        {
            return;
        }

        try
        {
            if (!_disposed && _time.GetElapsedTime(_lastMessage) >= _pulseInterval)
            {
                Tell(StepMessageKind.Pulse);
                _lastMessage = _time.GetTimestamp();
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Tell(StepMessageKind kind)
    {
        // After a failure of rank 0 alone the others wait in the middle of a step, where they would take a message for a part of it.
        if (_supervisor.Loss is not null || _outOfStep)
        {
            return;
        }

        try
        {
            _message.Send(kind, _communicator);
            if (kind == StepMessageKind.Pulse)
            {
                _communicator.Barrier();
            }
        }
        catch (RankLostException exception)
        {
            _supervisor.Report(exception);
        }
    }

    private void ThrowIfLost()
    {
        if (_supervisor.Loss is { } loss)
        {
            throw loss;
        }
    }
}
