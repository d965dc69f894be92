using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Plugin;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>kubectl mdep logs</c>: the logs of all replicas, each line with its pod.</summary>
internal static class LogsCommand
{
    /// <summary>Colours of pods, by the order in which they come: bright enough on light and dark.</summary>
    private static readonly string[] Colours = ["\e[36m", "\e[33m", "\e[32m", "\e[35m", "\e[34m", "\e[31m"];

    private const string Plain = "\e[0m";

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var name = cluster.DeploymentName();
        Option<bool> follow = new("--follow", "-f")
        {
            Description = "Go on with what is logged, also by replicas that come later and by containers that start again, until Ctrl-C."
        };
        Option<int> tail = new("--tail")
        {
            Description = "Lines of the end of each log. Default: all.",
            DefaultValueFactory = _ => -1,
            HelpName = "N"
        };
        tail.Between(-1);
        Option<string?> since = new("--since") { Description = "Only what is newer, as in 5s, 2m or 1h30m.", HelpName = "DURATION" };
        since.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && GoDuration.Parse(token.Value) is null)
            {
                result.AddError($"--since {token.Value}: must be a duration above 0, as in 5s, 2m or 1h30m");
            }
        });
        Option<bool> previous = new("--previous", "-p") { Description = "The run before the present one, of what has started again." };
        Option<bool> timestamps = new("--timestamps") { Description = "Each line with its time." };
        previous.Validators.Add(result =>
        {
            if (result.GetValue(previous) && result.GetValue(follow))
            {
                result.AddError("--previous and --follow: a run that has ended logs no more");
            }
        });
        var command = new TaughtCommand(
            "logs",
            "Prints the logs of all replicas of a deployment, each line with its pod before it, in colour on a terminal.",
            """
            kubectl mdep logs haiku --tail 20
            kubectl mdep logs haiku -f --since 5m
            kubectl mdep logs haiku --previous       what a worker said before it crashed
            """)
        { name, follow, tail, since, previous, timestamps };
        cluster.AddTo(command);
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var connection = cluster.Connect(arguments);
            var deployment = await connection.Cluster.DeploymentAsync(
                connection.Namespace, arguments.GetRequiredValue(name), signals.Token);
            LogRange range = new(
                arguments.GetValue(follow), arguments.GetValue(previous), arguments.GetValue(timestamps),
                arguments.GetValue(tail) is >= 0 and var lines ? lines : null,
                arguments.GetValue(since) is { } age ? (long)Math.Ceiling(GoDuration.Parse(age)!.Value.TotalSeconds) : null);
            LogFollower logs = new(
                token => connection.Cluster.WorkersAsync(deployment, token),
                (pod, part, token) => ClusterAccess.AskAsync(
                    () => connection.Cluster.Pods.OpenLogAsync(
                        connection.Namespace, pod.Metadata.Name, WorkerTemplate.ContainerName, part, token),
                    AccessRule.Log(connection.Namespace)),
                Writer(!Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or ""),
                Console.Error.WriteLine, TimeProvider.System);
            try
            {
                if (range.Follow)
                {
                    await logs.FollowAsync(range, signals.Token);
                }

                return await logs.PrintAsync(range, signals.Token)
                    ? 0
                    : throw new CommandFailure(
                        $"no replica of {deployment.Metadata.Name} has a log{(range.Previous ? " of a run before the present one" : "")}; "
                        + $"kubectl mdep explain {deployment.Metadata.Name} says how they are doing");
            }
            catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
            {
                return 0;
            }
        });
        return command;
    }

    private static Action<string, string> Writer(bool inColour)
    {
        Dictionary<string, string> colours = new(StringComparer.Ordinal);
        return (pod, line) =>
        {
            if (!colours.TryGetValue(pod, out var colour))
            {
                colours[pod] = colour = inColour ? Colours[colours.Count % Colours.Length] : "";
            }

            Console.Out.WriteLine($"{colour}[{pod}]{(inColour ? Plain : "")} {line}");
        };
    }
}
