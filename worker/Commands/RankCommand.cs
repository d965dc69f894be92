using System.CommandLine;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>rank</c>: one of ranks 1 and up of a tensor-parallel group. Nobody types it: <see cref="RankGroup"/> starts it and says all
/// the rest over standard input, so that nothing of it can be read from the process list.</summary>
internal static class RankCommand
{
    public static Command Create()
    {
        var command = new Command(RankProgram.Command, "Computes a part of a model for the worker that started it.") { Hidden = true };
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        // Signals to the process group (Ctrl-C, a supervisor's SIGTERM) concern rank 0, which needs the others to finish its requests.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
        var session = new RankSession(Console.In, Console.Out, Console.Error.WriteLine, () => Environment.Exit(1));
        Action? tune = null;
        return session.Run(
            setup => SharedMemoryCommunicator.Join(
                setup.Group, setup.Rank, setup.Size, new SharedMemoryOptions { Timeout = TimeSpan.FromSeconds(setup.TimeoutSeconds) }),
            (setup, communicator) => Open(setup, communicator, out tune),
            () => tune?.Invoke());
    }

    /// <exception cref="NotSupportedException">The device cannot be used; the session, which knows nothing of options, reports
    /// it.</exception>
    private static Backend Open(RankSetup setup, Communicator communicator, out Action? tune)
    {
        try
        {
            var backends = BackendFactory.For(setup);
            var backend = backends.Create(communicator);
            tune = backends.Tune(backend, setup.Rank, setup.Options.MaxBatchedTokens, Console.Error.WriteLine);
            return backend;
        }
        catch (StartupException exception)
        {
            throw new NotSupportedException(exception.Message, exception);
        }
    }
}
