namespace Cluster.Operator.Gateway.Page;

/// <summary>Wakes whoever waits for something to change. Many changes before anybody looks are one.</summary>
internal sealed class ChangeSignal
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How often something has changed.</summary>
    public long Changes { get; private set; }

    public void Raise()
    {
        lock (_gate)
        {
            Changes++;
            _next.SetResult();
            _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Completes as soon as <see cref="Changes"/> is more than what the caller has seen.</summary>
    public Task AfterAsync(long seen)
    {
        lock (_gate)
        {
            return Changes > seen ? Task.CompletedTask : _next.Task;
        }
    }
}
