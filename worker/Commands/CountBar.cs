using Spectre.Console;

namespace Cluster.Worker.Commands;

/// <summary>A progress bar on standard error for things that are done one by one; nothing where standard error is not a terminal.</summary>
internal static class CountBar
{
    /// <param name="run">Told how to report: finished, total, and a note to show (may be empty).</param>
    public static Task<T> RunAsync<T>(string title, Func<Action<int, int, string>, Task<T>> run)
    {
        if (Console.IsErrorRedirected)
        {
            return run((_, _, _) => { });
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn(),
                new RemainingTimeColumn())
            .StartAsync(context =>
            {
                var bar = context.AddTask(Markup.Escape(title));
                return run((finished, total, note) =>
                {
                    bar.MaxValue = Math.Max(total, 1);
                    bar.Value = finished;
                    bar.Description = Markup.Escape($"{title} {finished}/{total}{note}");
                });
            });
    }
}
