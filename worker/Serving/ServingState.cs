namespace Cluster.Worker.Serving;

/// <summary>Whether this worker should get traffic. Shared by the HTTP probes, the gRPC health service and shutdown.</summary>
/// <remarks>Loading → Ready → Distrusted, Draining or Failed, never back. A worker listens while it loads, so that liveness probes are
/// answered from the first second.</remarks>
internal sealed class ServingState(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _started = time.GetTimestamp();
    private ServedModel? _model;
    private bool _draining;
    private string? _failure;
    private string? _wrongResults;

    /// <summary>Raised after each change, on the thread that made it.</summary>
    public event Action? Changed;

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    /// <summary>Since <see cref="StartedAt"/>, whatever was done to the wall clock meanwhile.</summary>
    public TimeSpan Uptime => time.GetElapsedTime(_started);

    /// <summary>The model, once loaded.</summary>
    public ServedModel? Model
    {
        get
        {
            lock (_gate)
            {
                return _model;
            }
        }
    }

    /// <summary>Model loaded, its results right, not draining and not failed.</summary>
    public bool IsReady
    {
        get
        {
            lock (_gate)
            {
                return _model is not null && !_draining && _failure is null && _wrongResults is null;
            }
        }
    }

    public bool IsDraining
    {
        get
        {
            lock (_gate)
            {
                return _draining;
            }
        }
    }

    /// <summary>Why the model can be computed no more, and the worker is about to end; null while it can.</summary>
    public string? Failure
    {
        get
        {
            lock (_gate)
            {
                return _failure;
            }
        }
    }

    /// <summary>How the model's results have become wrong; null while none has been seen to. The worker lives on, to finish what runs and
    /// to say so, until it is replaced: started anew on the same device, it would take its wrong results for right ones.</summary>
    public string? WrongResults
    {
        get
        {
            lock (_gate)
            {
                return _wrongResults;
            }
        }
    }

    public void BecomeReady(ServedModel loaded) => Change(() => _model = loaded);

    public void BeginDraining() => Change(() => _draining = true);

    /// <param name="reason">For whoever asks from now on.</param>
    public void Fail(string reason) => Change(() => _failure = reason);

    /// <param name="deviation">For whoever asks from now on.</param>
    public void Distrust(string deviation) => Change(() => _wrongResults = deviation);

    private void Change(Action apply)
    {
        lock (_gate)
        {
            apply();
        }

        Changed?.Invoke();
    }
}
