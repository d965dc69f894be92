using Cluster.Worker.Models.Layers;
using Spectre.Console;

namespace Cluster.Worker.Startup;

/// <summary>A progress bar on standard error while a model loads; a line every few seconds where standard error is not a
/// terminal.</summary>
internal static class LoadBar
{
    public static T Run<T>(Func<IProgress<LoadProgress>?, T> load)
    {
        if (Console.IsErrorRedirected)
        {
            return load(new LoadLines(Console.Error.WriteLine, TimeProvider.System));
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var bar = context.AddTask("loading weights");
                return load(new BarProgress(bar));
            });
    }

    private sealed class BarProgress(ProgressTask bar) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value)
        {
            bar.MaxValue = Math.Max(value.BytesTotal, 1);
            bar.Value = value.BytesDone;
        }
    }
}
