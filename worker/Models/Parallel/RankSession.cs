using System.Collections.Concurrent;
using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>The life of a rank behind rank 0, in a process of its own. Called by the hidden <c>rank</c> command; speaks with
/// <see cref="RankProcess"/> in the process of rank 0.</summary>
/// <remarks>Standard input is the lifeline: when it closes, rank 0 is gone or wants this rank gone, and the process ends wherever it
/// is.</remarks>
internal sealed class RankSession
{
    private readonly BlockingCollection<string> _orders = [];
    private readonly TextReader _input;
    private readonly TextWriter _output;
    private readonly Action<string> _log;
    private readonly Action _orphaned;

    /// <param name="input">Setup and orders of rank 0.</param>
    /// <param name="output">For <see cref="RankReport"/>s.</param>
    /// <param name="log">Told facts, one line each.</param>
    /// <param name="orphaned">Ends the process; called when <paramref name="input"/> has closed.</param>
    public RankSession(TextReader input, TextWriter output, Action<string> log, Action orphaned)
    {
        _input = input;
        _output = output;
        _log = log;
        _orphaned = orphaned;
        new Thread(ReadOrders) { IsBackground = true, Name = "lifeline" }.Start();
    }

    /// <summary>Loads this rank's slice and computes steps until rank 0 says that there are no more.</summary>
    /// <param name="join">Opens this rank's end of the group.</param>
    /// <param name="open">Opens its device, which computes with that end.</param>
    /// <param name="prepare">Called when the weights are loaded, before the ranks' first operation together; null for nothing.</param>
    /// <returns>Exit code. What went wrong was reported to rank 0.</returns>
    public int Run(
        Func<RankSetup, Communicator> join, Func<RankSetup, Communicator, Backend> open, Action? prepare = null)
    {
        try
        {
            var setup = RankSetup.Parse(_orders.Take());
            using var communicator = join(setup);
            using var model = ModelLoader.Load(
                setup.Source, open(setup, communicator), setup.Options, progress: null, communicator, prepare + AwaitOthers);
            _log(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"process {Environment.ProcessId}; weights {model.ResidentWeightBytes / 1048576.0:F1} MiB resident"));
            Rendezvous.Meet(communicator);
            FollowerLoop.Run(model.Runner, communicator);
            return 0;
        }
        catch (Exception exception) when (exception is RankLostException or IOException or FormatException or InvalidDataException
            or ArgumentException or InvalidOperationException or NotSupportedException or UnauthorizedAccessException
            or OutOfMemoryException or DeviceLostException or KernelBuildException)
        {
            Report(new RankReport(Failure: exception.Message));
            return 1;
        }
    }

    private void AwaitOthers()
    {
        Report(new RankReport(WeightsLoaded: true));
        _orders.Take();
    }

    private void Report(RankReport report)
    {
        try
        {
            _output.WriteLine(report.ToJson());
            _output.Flush();
        }
        catch (IOException)
        {
            // Rank 0 is gone; the lifeline says so, too.
        }
    }

    /// <summary>Takes the name of the group's file away, which it has for as long as not all have joined: rank 0 may have ended before
    /// that.</summary>
    /// <param name="order">The setup, which this rank may not have come to read yet.</param>
    private static void RemoveFile(string? order)
    {
        try
        {
            if (order is not null)
            {
                File.Delete(RankSetup.Parse(order).Group);
            }
        }
        catch (Exception exception) when (exception is FormatException or IOException or UnauthorizedAccessException)
        {
            // No setup, or nothing there that is this rank's to remove.
        }
    }

    private void ReadOrders()
    {
        string? first = null;
        while (_input.ReadLine() is { } line)
        {
            first ??= line;
            _orders.Add(line);
        }

        RemoveFile(first);
        _orphaned();
    }
}
