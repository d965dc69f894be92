using System.Diagnostics;
using System.Globalization;
using Cluster.Worker.Compute.Collectives;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>Time of an all-reduce by size, between ranks that are threads and between ranks that are processes, beside one thread's copy of
/// as many bytes: each rank copies in, sums its share and copies out, so a copy is the floor.</summary>
internal static class CollectivesBenchmark
{
    /// <summary>The command by which this program starts itself as a rank.</summary>
    public const string RankCommand = "collectives-rank";

    /// <summary>Timed together: one call alone may look short to the rank that comes last.</summary>
    private const int CallsOfRound = 4;

    private static readonly int[] Sizes = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

    public static void Run(int ranks)
    {
        var threads = OverThreads(ranks);
        var processes = OverProcesses(ranks);
        var table = new Table().AddColumns("bytes", "threads", "processes", "a copy");
        for (var i = 0; i < Sizes.Length; i++)
        {
            table.AddRow(Name(Sizes[i]), Cell(threads[i], Sizes[i]), Cell(processes[i], Sizes[i]), Cell(Copy(Sizes[i]), Sizes[i]));
        }

        Console.WriteLine(
            $"all-reduce between {ranks} ranks on {Environment.ProcessorCount} processors; GB/s = bytes of the message ÷ time:");
        AnsiConsole.Write(table);
    }

    /// <summary>A rank other than 0, in a process of its own.</summary>
    public static void RunRank(string path, int rank, int ranks)
    {
        using var communicator = SharedMemoryCommunicator.Join(path, rank, ranks, new SharedMemoryOptions());
        Measure(communicator);
    }

    private static double[] OverThreads(int ranks)
    {
        var group = ThreadCommunicator.CreateGroup(ranks, TimeSpan.FromMinutes(1));
        var others = group[1..].Select(communicator => new Thread(() => Measure(communicator))).ToArray();
        Array.ForEach(others, thread => thread.Start());
        var seconds = Measure(group[0]);
        Array.ForEach(others, thread => thread.Join());
        Array.ForEach(group, communicator => communicator.Dispose());
        return seconds;
    }

    private static double[] OverProcesses(int ranks)
    {
        var path = SharedMemoryCommunicator.NewPath();
        var others = Enumerable.Range(1, ranks - 1).Select(rank => Process.Start(
            "dotnet", ["exec", typeof(CollectivesBenchmark).Assembly.Location, RankCommand, path, Number(rank), Number(ranks)])).ToArray();
        using var communicator = SharedMemoryCommunicator.Join(path, 0, ranks, new SharedMemoryOptions());
        var seconds = Measure(communicator);
        foreach (var process in others)
        {
            process.WaitForExit();
            process.Dispose();
        }

        return seconds;
    }

    /// <returns>Seconds of one call for each of <see cref="Sizes"/>: the best round's.</returns>
    private static double[] Measure(Communicator communicator) => Array.ConvertAll(Sizes, bytes =>
    {
        var values = new float[bytes / sizeof(float)];
        return Best(bytes, () => communicator.AllReduce(values), communicator.Barrier);
    });

    private static double Copy(int bytes)
    {
        var source = new byte[bytes];
        var destination = new byte[bytes];
        return Best(bytes, () => source.CopyTo(destination, 0), static () => { });
    }

    /// <summary>All ranks make the same number of calls, so the time decides nothing.</summary>
    private static double Best(int bytes, Action call, Action together)
    {
        var rounds = Math.Clamp((64 << 20) / bytes, 8, 500);
        var best = double.MaxValue;
        for (var round = 0; round < rounds; round++)
        {
            together();
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < CallsOfRound; i++)
            {
                call();
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds / CallsOfRound);
        }

        return best;
    }

    private static string Cell(double seconds, int bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F1} µs, {bytes / seconds / 1e9:F2} GB/s");

    private static string Name(int bytes) => bytes >= 1 << 20 ? $"{bytes >> 20} MiB" : $"{bytes >> 10} KiB";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
