using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

/// <summary>A rank in a process of its own: this test program, started with a variable that makes it one before it becomes a test
/// runner.</summary>
internal sealed class RankProgram : IDisposable
{
    public const int ExitAfterLoss = 3;

    private const string Variable = "CLUSTER_TEST_RANK";

    private readonly Process _process;

    private RankProgram(Process process) => _process = process;

    public int Id => _process.Id;

    public StreamReader Output => _process.StandardOutput;

    /// <param name="rounds">All-reduces to make; none: until a rank is lost.</param>
    public static RankProgram Start(string path, int rank, int size, int rounds)
    {
        var host = Environment.ProcessPath is { } program && Path.GetFileNameWithoutExtension(program) == "dotnet" ? program : "dotnet";
        var start = new ProcessStartInfo(host, ["exec", typeof(RankProgram).Assembly.Location]) { RedirectStandardOutput = true };
        start.Environment[Variable] = string.Create(CultureInfo.InvariantCulture, $"{path} {rank} {size} {rounds}");
        return new RankProgram(Process.Start(start)!);
    }

    /// <summary>The signal that cannot be caught.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for the end.</summary>
    public int ExitCode()
    {
        Assert.True(_process.WaitForExit(HostRanks.Generous), "a rank hangs");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    [ModuleInitializer]
    internal static void BecomeRankIfAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable)?.Split(' ') is [var path, var rank, var size, var rounds])
        {
            Environment.Exit(Run(path, Number(rank), Number(size), Number(rounds)));
        }

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    private static int Run(string path, int rank, int size, int rounds)
    {
        try
        {
            using var communicator = SharedMemoryCommunicator.Join(
                path, rank, size, new SharedMemoryOptions { Timeout = HostRanks.Generous });
            Console.WriteLine("joined");
            for (var round = 1; rounds == 0 || round <= rounds; round++)
            {
                var length = round * 7919 % 20_000;
                var values = ScalarSums.Values(round, rank, length);
                communicator.AllReduce(values);
                if (!ScalarSums.Bits(values).SequenceEqual(ScalarSums.Bits(ScalarSums.InRankOrder(round, size, length))))
                {
                    Console.WriteLine($"round {round} is wrong");
                    return 1;
                }
            }

            communicator.Barrier();
            return 0;
        }
        catch (RankLostException exception)
        {
            Console.WriteLine(exception.Message);
            return ExitAfterLoss;
        }
    }
}
