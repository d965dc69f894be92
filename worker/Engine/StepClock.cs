namespace Cluster.Worker.Engine;

/// <summary>How long the engine's thread has had work and got nowhere. Set by <see cref="LlmEngine"/>, read by probes on any
/// thread.</summary>
/// <remarks>It has a lock of its own: a thread that hangs may hold the engine's.</remarks>
/// <param name="progress">Changes while a step is under way, too: a long one is not taken for one that hangs. May be called on any
/// thread.</param>
internal sealed class StepClock(TimeProvider time, Func<long> progress)
{
    private readonly Lock _gate = new();
    private long? _since;
    private long _progress;

    /// <summary>Time since the last sign of life while there is work; zero while there is none.</summary>
    public TimeSpan Silence
    {
        get
        {
            lock (_gate)
            {
                if (_since is null)
                {
                    return TimeSpan.Zero;
                }

                if (progress() != _progress)
                {
                    Restart();
                }

                return time.GetElapsedTime(_since.Value);
            }
        }
    }

    /// <summary>Work has come. Changes nothing when there was some already.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            if (_since is null)
            {
                Restart();
            }
        }
    }

    /// <summary>A step is finished.</summary>
    public void Advance()
    {
        lock (_gate)
        {
            Restart();
        }
    }

    /// <summary>There is nothing to do.</summary>
    public void Rest()
    {
        lock (_gate)
        {
            _since = null;
        }
    }

    private void Restart() => (_since, _progress) = (time.GetTimestamp(), progress());
}
