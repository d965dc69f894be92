using System.CommandLine;
using System.Globalization;
using Cluster.Common;
using Cluster.Operator.Gateway;
using Cluster.Operator.Local;
using Cluster.Operator.Manifests;
using Cluster.Operator.Yaml;
using Spectre.Console;

namespace Cluster.Operator.Commands;

/// <summary><c>local</c>: a whole cluster on this machine until Ctrl-C, or for one prompt with <c>--once</c>.</summary>
internal static class LocalCommand
{
    private const string SamplePrompt = "Write a haiku about artificial intelligence";

    public static Command Create()
    {
        var files = new Option<string[]>("--filename", "-f")
        {
            Description = "Manifest to apply: a file, a folder, or - for standard input. May be repeated.",
            HelpName = "FILE"
        };
        var gpus = new Option<int?>("--gpus")
        {
            Description = "Simulate this many GPUs. Default: the machine's own from KFD, or 8 simulated ones.",
            HelpName = "N"
        };
        gpus.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1
                && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var count)
                && count is < 0 or > 64)
            {
                result.AddError($"--gpus {count}: must be 0 to 64");
            }
        });
        var models = new Option<string?>("--models")
        {
            Description =
                "Folder that is /models on the node, for file:///models/… sources. Default: the folder 'models' beside the first manifest.",
            HelpName = "DIR"
        };
        var configs = new ModelConfigOption();
        var port = new Option<int>("--port")
        {
            Description = "Port of the API server on 127.0.0.1; 0 takes a free one.",
            HelpName = "PORT"
        };
        var gateway = new Option<int?>("--gateway-port")
        {
            Description =
                $"Port of the gateway on 127.0.0.1; 0 takes a free one. Default: {GatewayOptions.DefaultPort}, or a free one where that is "
                + "taken.",
            HelpName = "PORT"
        };
        var worker = new Option<string?>("--worker")
        {
            Description = "Worker executable. Default: the one built with this operator.",
            HelpName = "PATH"
        };
        var host = new Option<string?>("--worker-host")
        {
            Description =
                "Dotnet host to start workers with: PATH exec cluster-worker.dll. For drivers that need a newer C library than the system's. "
                + $"Default: {WorkerProgram.HostVariable}, or none.",
            HelpName = "PATH"
        };
        var device = new Option<string?>("--device")
        {
            Description = "What workers compute on, as their own --device. Default: cpu where GPUs are simulated, else auto.",
            HelpName = string.Join('|', DeviceNames.All)
        };
        device.CompletionSources.Add([.. DeviceNames.All]);
        device.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !DeviceNames.All.Contains(token.Value))
            {
                result.AddError(
                    $"--device {token.Value}: must be {string.Join(", ", DeviceNames.All.SkipLast(1))} or {DeviceNames.All[^1]}");
            }
        });
        var once = new Option<bool>("--once") { Description = "Ask every replica and the gateway one prompt, print the answers, stop and exit 0." };
        var prompt = new Option<string>("--prompt")
        {
            Description = "The prompt of --once and of the printed commands.",
            DefaultValueFactory = _ => SamplePrompt,
            HelpName = "TEXT"
        };
        var timeout = new Option<double>("--timeout")
        {
            Description = "Seconds --once waits for the deployments to become ready.",
            DefaultValueFactory = _ => 300,
            HelpName = "SECONDS"
        };
        var hosts = HostCheck.Option();
        var policy = new PodPolicyOptions();
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Show what operator and node log." };
        var command = new Command(
            "local", "Runs a whole cluster on this machine: API server, node, operator and workers. Ctrl-C stops everything.")
        {
            files, gpus, models, port, gateway, worker, host, device, once, prompt, timeout, hosts, verbose,
        };
        configs.AddTo(command);
        policy.AddTo(command, withPrefixes: false);
        command.SetAction(arguments => RunAsync(
            Load(arguments.GetValue(files) ?? []),
            logging => new LocalClusterOptions
            {
                SimulatedGpus = arguments.GetValue(gpus),
                ModelsFolder = arguments.GetValue(models) ?? HostFolders.BesideFirst(arguments.GetValue(files) ?? []),
                HubConfigs = configs.Read(arguments),
                PodPrivileges = policy.Privileges(arguments),
                AllowedHosts = arguments.GetValue(hosts) ?? [],
                ApiPort = arguments.GetValue(port),
                GatewayPort = arguments.GetValue(gateway),
                Worker = arguments.GetValue(worker),
                WorkerHost = arguments.GetValue(host) ?? HostOfEnvironment(),
                Device = arguments.GetValue(device),
                Logging = logging,
            },
            arguments.GetValue(once) ? TimeSpan.FromSeconds(arguments.GetValue(timeout)) : null,
            arguments.GetValue(prompt)!,
            arguments.GetValue(verbose) ? LogLevel.Debug : LogLevel.Critical));
        return command;
    }

    /// <param name="once">How long to wait for readiness before the one prompt; null runs until Ctrl-C.</param>
    private static async Task<int> RunAsync(
        IReadOnlyList<Manifest> manifests, Func<ILoggerFactory, LocalClusterOptions> options, TimeSpan? once, string prompt, LogLevel level)
    {
        var console = LocalConsole.Create();
        using var signals = new Signals();
        using var logging = LoggerFactory.Create(
            builder => builder.SetMinimumLevel(level).AddSimpleConsole(format => format.SingleLine = true));
        await using var cluster = await LocalCluster.StartAsync(options(logging), signals.Token);
        LocalConsole.Welcome(console, cluster, manifests, prompt);
        var exitCode = 0;
        try
        {
            var deployments = new List<(string Namespace, string Name)>();
            foreach (var manifest in manifests)
            {
                if (await ManifestApplier.ApplyAsync(cluster.Client, manifest, signals.Token) is { } deployment)
                {
                    deployments.Add(deployment);
                }

                console.MarkupLineInterpolated($"[green]applied[/] {manifest.Kind} {manifest.Name}");
            }

            var (replicas, models) = await new DeploymentWatcher(cluster.Client, console).WaitAsync(deployments, once, signals.Token);
            exitCode = once is null
                ? await FollowAsync(console, cluster, replicas, models, prompt, signals.Token)
                : await OneShot.RunAsync(console, replicas, cluster.Gateway.HttpAddress, models, prompt, signals.Token);
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            // Ctrl-C is the ordinary end of a local cluster.
        }

        console.MarkupLine("[grey]stopping every process of this cluster …[/]");
        return exitCode;
    }

    private static async Task<int> FollowAsync(
        IAnsiConsole console, LocalCluster cluster, IReadOnlyList<ReplicaEndpoint> replicas, IReadOnlyList<string> models, string prompt,
        CancellationToken cancellationToken)
    {
        if (replicas.Count > 0)
        {
            LocalConsole.Table(console, replicas);
        }

        if (models.Count > 0)
        {
            LocalConsole.Commands(console, cluster.Gateway, models[0], prompt);
        }

        console.MarkupLine("[grey]Ctrl-C ends the cluster.[/]");
        await cluster.Operating.WaitAsync(cancellationToken);
        throw new CommandFailure("the operator stopped unexpectedly; run again with --verbose to see why");
    }

    private static string? HostOfEnvironment() =>
        Environment.GetEnvironmentVariable(WorkerProgram.HostVariable) is { Length: > 0 } host ? host : null;

    private static List<Manifest> Load(string[] files) => [.. files.SelectMany(Manifest.Load)];
}
