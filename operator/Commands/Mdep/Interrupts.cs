using System.Runtime.InteropServices;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>Ctrl-C ends what is being done, and not the program.</summary>
internal sealed class Interrupts : IDisposable
{
    /// <summary>As shells have it: 128 and the number of the signal.</summary>
    public const int ExitCode = 130;

    private readonly PosixSignalRegistration _registration;
    private CancellationTokenSource? _current;

    /// <summary>Called for a Ctrl-C where nothing is being done. By default it ends the program, as without us.</summary>
    public Action WhenIdle { get; set; } = () => Environment.Exit(ExitCode);

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
            if (Volatile.Read(ref _current) is { } current)
            {
                current.Cancel();
            }
            else
            {
                WhenIdle();
            }
        }
        catch (ObjectDisposedException)
        {
            // It has ended in this very moment.
        }
    }
}
