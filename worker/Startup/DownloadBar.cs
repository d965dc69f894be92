using Cluster.Worker.Models.Sources;
using Spectre.Console;

namespace Cluster.Worker.Startup;

/// <summary>Shows a download: on a terminal bars on standard error, one for all bytes and one for each large file on its way; elsewhere log
/// lines (<see cref="DownloadLog"/>).</summary>
internal static class DownloadBar
{
    /// <param name="title">What is downloaded.</param>
    /// <param name="log">Takes the lines where there is no terminal.</param>
    public static async Task<T> RunAsync<T>(string title, Action<string> log, Func<IProgress<HubProgress>, Task<T>> download)
    {
        if (Console.IsErrorRedirected)
        {
            return await download(new DownloadLog(title, log));
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Progress().AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(),
                new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(context => download(new Bars(context, title)));
    }

    /// <summary>Called by one download at a time, which <see cref="DownloadTally"/> sees to.</summary>
    private sealed class Bars(ProgressContext context, string title) : IProgress<HubProgress>
    {
        private const long LargeFile = 16 << 20;

        private readonly ProgressTask _all = context.AddTask(Markup.Escape(title));
        private readonly Dictionary<string, ProgressTask> _files = new(StringComparer.Ordinal);

        public void Report(HubProgress value)
        {
            Set(_all, value.BytesDone, value.BytesTotal);
            if (value.FileSize < LargeFile)
            {
                return;
            }

            if (!_files.TryGetValue(value.File, out var bar) && value.FileBytes < value.FileSize)
            {
                bar = context.AddTask("  " + Markup.Escape(value.File));
                _files.Add(value.File, bar);
            }

            if (bar is not null)
            {
                Set(bar, value.FileBytes, value.FileSize);
            }
        }

        private static void Set(ProgressTask bar, long done, long total)
        {
            bar.MaxValue = Math.Max(total, 1);
            bar.Value = done;
        }
    }
}
