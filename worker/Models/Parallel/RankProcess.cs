using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Models.Parallel;

/// <summary>A rank that is a child process, seen from rank 0. Started and ended by <see cref="RankGroup"/>; the other side is
/// <see cref="RankSession"/>.</summary>
/// <remarks>
/// Standard input carries the setup and later orders, a line each; it is also the lifeline: when it closes, because rank 0 wishes so or is
/// no more, the rank ends. Standard output carries <see cref="RankReport"/>s; standard error is what the rank logs.
/// </remarks>
internal sealed class RankProcess : IDisposable
{
    private static readonly TimeSpan TimeToEnd = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly Action<string> _log;
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<RankLostException> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _ended;

    private RankProcess(int rank, Process process, Action<string> log)
    {
        Rank = rank;
        _process = process;
        _log = log;
        _ended = FollowAsync();
    }

    public int Rank { get; }

    public int ProcessId => _process.Id;

    /// <summary>Completes when its weights are loaded and it waits for the others.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Completes when the rank has told that it cannot go on, or its process has ended, with why or how.</summary>
    public Task<RankLostException> Lost => _lost.Task;

    /// <param name="device">The one device it may see; null leaves the variable alone.</param>
    /// <exception cref="RankLostException">The program cannot be started.</exception>
    public static RankProcess Start(RankProgram program, RankSetup setup, string? device, Action<string> log)
    {
        var start = new ProcessStartInfo(program.Path, program.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (device is not null)
        {
            foreach (var (name, value) in RankDevice.Variables(device, start.Environment.ContainsKey))
            {
                start.Environment[name] = value;
            }
        }

        try
        {
            var rank = new RankProcess(setup.Rank, Process.Start(start)!, log);
            rank.Send(setup.ToJson());
            return rank;
        }
        catch (Win32Exception exception)
        {
            throw new RankLostException($"rank {setup.Rank} cannot be started as '{program.Path}': {exception.Message}", exception);
        }
    }

    /// <summary>Writes a line to its standard input. A rank that has ended has no use for it: <see cref="Lost"/> tells that.</summary>
    public void Send(string line)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
        }
    }

    /// <summary>Kills it; it does not matter any more how it ends.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Closes the lifeline: it ends by itself, wherever it is. May be called again.</summary>
    public void Release()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended with a line unread.
        }
    }

    /// <summary>Waits until the released process has ended; kills it when that takes long.</summary>
    public void Dispose()
    {
        Release();
        if (!_process.WaitForExit(TimeToEnd))
        {
            _process.Kill();
        }

        _ended.Wait();
        _process.Dispose();
    }

    private async Task FollowAsync()
    {
        await Task.WhenAll(ReadReportsAsync(), ReadLogAsync());
        await _process.WaitForExitAsync();
        _lost.TrySetResult(new RankLostException($"rank {Rank} {ProcessEnd.Describe(_process.ExitCode)}"));
    }

    private async Task ReadReportsAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            try
            {
                Take(RankReport.Parse(line));
            }
            catch (JsonException)
            {
                _log($"rank {Rank}: {line}");
            }
        }
    }

    private void Take(RankReport report)
    {
        if (report.WeightsLoaded)
        {
            _loaded.TrySetResult();
        }

        if (report.Failure is { } failure)
        {
            _lost.TrySetResult(new RankLostException($"rank {Rank}: {failure}"));
        }
    }

    private async Task ReadLogAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            _log($"rank {Rank}: {line}");
        }
    }
}
