namespace Cluster.Worker.Serving;

/// <summary>Whether this worker should get traffic. Shared by the HTTP probes, the gRPC health service and shutdown.</summary>
/// <remarks>Loading → Ready → Draining or Failed, never back. A worker listens while it loads, so that liveness probes are answered from the first second.</remarks>
internal sealed class ServingState(TimeProvider time)
{
    private readonly Lock gate = new();
    private ServedModel? model;
    private bool draining;
    private string? failure;

    /// <summary>Raised after each change, on the thread that made it.</summary>
    public event Action? Changed;

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    /// <summary>The model, once loaded.</summary>
    public ServedModel? Model
    {
        get
        {
            lock (gate)
            {
                return model;
            }
        }
    }

    /// <summary>Model loaded, not draining and not failed.</summary>
    public bool IsReady
    {
        get
        {
            lock (gate)
            {
                return model is not null && !draining && failure is null;
            }
        }
    }

    public bool IsDraining
    {
        get
        {
            lock (gate)
            {
                return draining;
            }
        }
    }

    /// <summary>Why the model can be computed no more, and the worker is about to end; null while it can.</summary>
    public string? Failure
    {
        get
        {
            lock (gate)
            {
                return failure;
            }
        }
    }

    public void BecomeReady(ServedModel loaded) => Change(() => model = loaded);

    public void BeginDraining() => Change(() => draining = true);

    /// <param name="reason">For whoever asks from now on.</param>
    public void Fail(string reason) => Change(() => failure = reason);

    private void Change(Action apply)
    {
        lock (gate)
        {
            apply();
        }

        Changed?.Invoke();
    }
}
