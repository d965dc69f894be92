using System.Runtime.InteropServices;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>Ctrl-C ends what is being done, and not the program; where nothing is being done, it does nothing.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly PosixSignalRegistration _registration;
    private CancellationTokenSource? _current;

    public Interrupts() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);

    /// <exception cref="OperationCanceledException">It was interrupted.</exception>
    public async Task RunAsync(Func<CancellationToken, Task> action)
    {
        using CancellationTokenSource current = new();
        Volatile.Write(ref _current, current);
        try
        {
            await action(current.Token);
        }
        finally
        {
            Volatile.Write(ref _current, null);
        }
    }

    public void Dispose() => _registration.Dispose();

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        try
        {
            Volatile.Read(ref _current)?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended in this very moment.
        }
    }
}
