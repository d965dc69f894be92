using System.Runtime.InteropServices;

namespace Cluster.Operator.Commands;

/// <summary>SIGINT and SIGTERM as a cancellation token; a second signal ends the process at once.</summary>
internal sealed class Signals : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration interrupt;
    private readonly PosixSignalRegistration terminate;

    public Signals()
    {
        interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
    }

    public CancellationToken Token => source.Token;

    public void Dispose()
    {
        interrupt.Dispose();
        terminate.Dispose();
        source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        // The first signal asks politely; whoever sends a second one means it.
        context.Cancel = !source.IsCancellationRequested;
        source.Cancel();
    }
}
