using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Plugin;
using Spectre.Console;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>kubectl mdep top</c>: replicas with their load.</summary>
internal static class TopCommand
{
    private static readonly TimeSpan Once = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Watching = TimeSpan.FromSeconds(2);

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        Option<bool> all = new("--all-namespaces", "-A") { Description = "The deployments of all namespaces." };
        Option<string?> labels = new("--selector", "-l")
        {
            Description = "Only the deployments with these labels, as in app=chat,tier!=test.",
            HelpName = "LABELS"
        };
        Option<bool> watch = new("--watch", "-w") { Description = "Look again and again, until Ctrl-C." };
        var interval = new Option<double?>("--interval")
        {
            Description = "Seconds between two looks; tokens a second are of the time between. Default: 1, with --watch 2.",
            HelpName = "SECONDS"
        }.Only(value => value is >= 0.1 and <= 3600, "from 0.1 to 3600");
        var output = OutputFormat.Option(OutputFormat.Wide, OutputFormat.Json, OutputFormat.Yaml);
        Argument<string?> name = new("NAME")
        {
            Description = "Only this deployment.",

            // Else help would ask the cluster which there are.
            HelpName = "NAME",
            Arity = ArgumentArity.ZeroOrOne,
        };
        name.CompletionSources.Add(context => DeploymentNames.Of(() => cluster.Connect(context.ParseResult)));
        var command = new TaughtCommand(
            "top",
            "Shows the replicas of deployments with node, GPUs and load: requests running and waiting, use of the KV cache, tokens "
            + "generated a second, and the share of prompt tokens that the prefix cache had. The workers' /metrics say it, "
            + "through the API server.",
            """
            kubectl mdep top                      deployments of this namespace
            kubectl mdep top haiku --watch        one of them, again and again
            kubectl mdep top -A -o wide           all, with more columns
            kubectl mdep top -l team=search -o json
            """)
        { name, all, labels, watch, interval, output };
        cluster.AddTo(command);
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var connection = cluster.Connect(arguments);
            var isWatching = arguments.GetValue(watch);
            using var sampler = new TopSampler(connection.Cluster, ApiKey.OfEnvironment(), TimeProvider.System);
            var between = arguments.GetValue(interval) is { } seconds ? TimeSpan.FromSeconds(seconds) : isWatching ? Watching : Once;
            var @namespace = arguments.GetValue(all) ? null : connection.Namespace;
            Func<CancellationToken, Task<IReadOnlyList<ModelDeployment>>> list = arguments.GetValue(name) is { } one
                ? async token => [await connection.Cluster.DeploymentAsync(connection.Namespace, one, token)]
                : token => connection.Cluster.DeploymentsAsync(@namespace, arguments.GetValue(labels), token);
            try
            {
                await sampler.LookAsync(list, @namespace, signals.Token);
                await Task.Delay(between, signals.Token);
                var format = arguments.GetValue(output)!;
                if (!isWatching)
                {
                    await Console.Out.WriteAsync(
                        Show(await sampler.LookAsync(list, @namespace, signals.Token), format, @namespace is null));
                    return 0;
                }

                await WatchAsync(
                    async () => Show(await sampler.LookAsync(list, @namespace, signals.Token), format, @namespace is null), between,
                    format is OutputFormat.Text or OutputFormat.Wide, signals.Token);
            }
            catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
            {
                // Ctrl-C is the ordinary end of --watch.
            }

            return 0;
        });
        return command;
    }

    private static string Show(IReadOnlyList<TopRow> rows, string format, bool allNamespaces) =>
        format is OutputFormat.Json or OutputFormat.Yaml ? OutputFormat.Write(new { items = rows }, format)
        : rows.Count == 0 ? "no replicas\n"
        : string.Concat(TopTable.Lines(rows, allNamespaces, format == OutputFormat.Wide).Select(line => line + "\n"));

    /// <summary>On a terminal in one place; else one after the other.</summary>
    private static async Task WatchAsync(Func<Task<string>> look, TimeSpan between, bool isTable, CancellationToken cancellationToken)
    {
        if (Console.IsOutputRedirected || !isTable)
        {
            while (true)
            {
                await Console.Out.WriteAsync(await look());
                await Task.Delay(between, cancellationToken);
            }
        }

        await AnsiConsole.Live(new Text("")).StartAsync(async live =>
        {
            while (true)
            {
                live.UpdateTarget(new Text(await look()) { Overflow = Overflow.Crop });
                live.Refresh();
                await Task.Delay(between, cancellationToken);
            }
        });
    }
}
