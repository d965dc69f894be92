using System.Globalization;
using Spectre.Console;

namespace Cluster.Benchmarks.Scale;

/// <summary>What the operator costs as a cluster grows: at each size, 8 single-GPU replicas a node in deployments of 80 are placed on empty
/// nodes and then, after a tenth of the nodes has vanished and as many new ones have come, repaired. Called by <see cref="Program"/>; one
/// <see cref="ScaleRun"/> a size.</summary>
/// <remarks>The operator is a process of its own, and its CPU time is the figure to look at: API server and kubelets are simulated in this
/// process and share the machine with it, so the seconds on the wall say as much about them. A growth exponent is the slope of the
/// least-squares line through log(figure) over log(nodes): 0 means that a replica costs the same in a cluster of any size, 1 that it costs
/// in proportion to the cluster.</remarks>
internal static class OperatorBenchmark
{
    /// <summary>Nodes the simulation has been dimensioned for.</summary>
    private const int MostNodes = 5000;

    /// <summary>Requests a replica below which a method is left out of the table: those made once.</summary>
    private const double Negligible = 0.001;

    /// <summary>Columns a table of several sizes needs; output that is no terminal claims to have fewer.</summary>
    private const int TableWidth = 130;

    public static bool TryParseSizes(string list, out int[] sizes)
    {
        var numbers = list.Split(',')
            .Select(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) ? nodes : 0).ToArray();
        sizes = numbers;
        return Array.TrueForAll(numbers, nodes => nodes is >= 10 and <= MostNodes);
    }

    /// <returns>The exit code: 0, or 1 when a GPU was booked twice.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<int> sizes)
    {
        var results = new List<ScaleResult>();
        foreach (var nodes in sizes)
        {
            await using var run = await ScaleRun.StartAsync(nodes, CancellationToken.None);
            results.Add(await AnsiConsole.Progress().AutoClear(true).StartAsync(run.MeasureAsync));
        }

        Print(results);
        if (results.Find(result => result.SharedGpus > 0) is { } broken)
        {
            Console.Error.WriteLine($"{broken.SharedGpus} GPUs are booked twice at {broken.Nodes} nodes");
            return 1;
        }

        return 0;
    }

    private static void Print(List<ScaleResult> results)
    {
        var table = new Table().AddColumn("figure");
        foreach (var result in results)
        {
            table.AddColumn(string.Create(CultureInfo.InvariantCulture, $"{result.Nodes} nodes"));
        }

        table.AddColumn("growth exponent");
        table.Columns[0].NoWrap();
        foreach (var column in table.Columns.Skip(1))
        {
            column.RightAligned().NoWrap();
        }

        Row("replicas (deployments)", r => $"{r.Replicas} ({r.Deployments})", null);
        Row("time to all placed and ready", r => Text(r.Placing.Seconds, "F1", "s"), r => r.Placing.Seconds);
        Row("operator CPU, placing", r => Text(r.Placing.CpuSeconds, "F2", "s"), r => r.Placing.CpuSeconds);
        Row("operator CPU a replica placed", r => Text(1e3 * r.Placing.CpuSeconds / r.Replicas, "F2", "ms"),
            r => r.Placing.CpuSeconds / r.Replicas);
        Row("API server and kubelets: CPU a replica", r => Text(1e3 * r.Placing.SimulationCpuSeconds / r.Replicas, "F2", "ms"),
            r => r.Placing.SimulationCpuSeconds / r.Replicas);
        Row("reconciles a replica placed", r => Text(r.Placing.Reconciles / (double)r.Replicas, "F3", ""),
            r => r.Placing.Reconciles / (double)r.Replicas);
        Row("requests a replica placed", r => Text(r.Placing.Requests.Values.Sum() / (double)r.Replicas, "F3", ""),
            r => r.Placing.Requests.Values.Sum() / (double)r.Replicas);
        foreach (var method in results.SelectMany(r => r.Placing.Requests.Keys).Distinct().Order(StringComparer.Ordinal)
            .Where(method => results.Exists(r => r.RequestsAReplica(method) > Negligible)))
        {
            Row($"  {method}", r => Text(r.RequestsAReplica(method), "F3", ""), null);
        }

        Row("replicas lost with a tenth of the nodes", r => r.Lost.ToString(CultureInfo.InvariantCulture), null);
        Row("time to repair", r => Text(r.Repairing.Seconds, "F1", "s"), r => r.Repairing.Seconds);
        Row("operator CPU, repairing", r => Text(r.Repairing.CpuSeconds, "F2", "s"), r => r.Repairing.CpuSeconds);
        Row("operator CPU a replica repaired", r => Text(1e3 * r.Repairing.CpuSeconds / r.Lost, "F2", "ms"),
            r => r.Repairing.CpuSeconds / r.Lost);
        Row("requests a replica repaired", r => Text(r.Repairing.Requests.Values.Sum() / (double)r.Lost, "F3", ""),
            r => r.Repairing.Requests.Values.Sum() / (double)r.Lost);
        Row("operator memory, peak resident", r => Text(r.PeakMiB, "F0", "MiB"), r => r.PeakMiB);
        Row("GPUs booked twice", r => r.SharedGpus.ToString(CultureInfo.InvariantCulture), null);
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, TableWidth);
        AnsiConsole.Write(table);

        void Row(string name, Func<ScaleResult, string> text, Func<ScaleResult, double>? grows) =>
            table.AddRow([
                Markup.Escape(name),
                .. results.Select(text),
                grows is null || results.Count < 2
                    ? ""
                    : PowerLaw.Exponent(results.Select(r => ((double)r.Nodes, grows(r))))
                        .ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture)]);
    }

    private static string Text(double value, string format, string unit) =>
        $"{value.ToString(format, CultureInfo.InvariantCulture)} {unit}".TrimEnd();
}
