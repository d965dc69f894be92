using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.NodeAgent.Plugin;

namespace Cluster.Operator.Commands;

/// <summary><c>node-agent</c>: one on each GPU node, from a DaemonSet. Publishes the node's GPUs and keeps <c>kernel.numa_balancing</c> as
/// the pods there ask, until SIGTERM.</summary>
/// <remarks>Needs of the API server: get and patch nodes; list and watch pods. Needs of the node: /sys, the render nodes in /dev, and
/// /proc/sys writable, all of which a privileged container has; and the kubelet's folder of device plugins, where it offers GPUs.</remarks>
internal static class NodeAgentCommand
{
    private const string NodeNameVariable = "NODE_NAME";

    public static Command Create()
    {
        var name = new Option<string?>("--node-name")
        {
            Description = $"Node this runs on. Default: {NodeNameVariable} of the environment (spec.nodeName by the downward API).",
            HelpName = "NAME"
        };
        var kubeconfig = new Option<string?>("--kubeconfig")
        {
            Description = "kubeconfig file. Default: as kubectl finds it, or the pod's service account.",
            HelpName = "FILE"
        };
        var context = new Option<string?>("--context")
        {
            Description = "Context of the kubeconfig. Default: its current one.",
            HelpName = "NAME"
        };
        var sysRoot = new Option<string>("--sysfs-root")
        {
            Description = "Where the node's sysfs is mounted.",
            DefaultValueFactory = _ => "/sys",
            HelpName = "PATH"
        };
        var devRoot = new Option<string>("--dev-root")
        {
            Description = "Where the node's devices are.",
            DefaultValueFactory = _ => "/dev",
            HelpName = "PATH"
        };
        var procRoot = new Option<string>("--proc-root")
        {
            Description = "Where the node's procfs is mounted.",
            DefaultValueFactory = _ => "/proc",
            HelpName = "PATH"
        };
        var pluginFolder = new Option<string?>("--device-plugin-dir")
        {
            Description =
                "The kubelet's folder for device plugins, usually /var/lib/kubelet/device-plugins, at the path it has on the node. Each "
                + $"GPU is then offered to the kubelet as a resource {GpuResource.Prefix}UUID, for gpu.deviceAccess Plugin. Default: "
                + "none is.",
            HelpName = "PATH"
        };
        var cdiFolders = new Option<string[]>("--cdi-dir")
        {
            Description =
                "Folder of CDI specifications (/etc/cdi, /var/run/cdi): GPUs that are named there are handed out by that name, too. Can be "
                + "repeated.",
            HelpName = "PATH"
        };
        var interval = new Option<TimeSpan?>("--interval")
        {
            Description =
                "Time between two looks at the node, such as 60s or 2m; also how long it stays tuned after the last pod that asked for "
                + "it. Default: 60s.",
            CustomParser = ParseInterval,
            HelpName = "TIME",
        };
        var port = new Option<int>("--metrics-port")
        {
            Description = "Port of /healthz, /readyz and /metrics.",
            DefaultValueFactory = _ => 8081,
            HelpName = "PORT"
        };
        var host = new Option<string>("--metrics-host")
        {
            Description = "Address of the metrics port.",
            DefaultValueFactory = _ => "127.0.0.1",
            HelpName = "ADDRESS"
        };
        var hosts = HostCheck.Option();
        var command = new Command("node-agent", "Publishes this node's GPUs and tunes its kernel while model deployments run here.")
        {
            name, kubeconfig, context, sysRoot, devRoot, procRoot, pluginFolder, cdiFolders, interval, port, host, hosts,
        };
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var logging = ConsoleLogging.Create();
            var options = new NodeAgentOptions
            {
                NodeName = (arguments.GetValue(name) ?? Environment.GetEnvironmentVariable(NodeNameVariable)) is { Length: > 0 } given
                    ? given
                    : throw new CommandFailure($"the node's name is needed: --node-name, or {NodeNameVariable} in the environment"),
                SysRoot = arguments.GetValue(sysRoot)!,
                DevRoot = arguments.GetValue(devRoot)!,
                ProcRoot = arguments.GetValue(procRoot)!,
                Interval = arguments.GetValue(interval) ?? TimeSpan.FromSeconds(60),
                Plugin = arguments.GetValue(pluginFolder) is not { } folder ? null : new KubeletPluginOptions
                {
                    Folder = folder,
                    CdiFolders = arguments.GetValue(cdiFolders) ?? [],
                    Logger = logging.CreateLogger("device-plugin"),
                },
                Logging = logging,
            };
            using var client = KubernetesClient.Create(
                ClientConfiguration.Load(arguments.GetValue(kubeconfig), arguments.GetValue(context)));
            var agent = new NodeAgentLoop(client, options);
            var (server, address) = await NodeAgentEndpoints.StartAsync(
                arguments.GetValue(host)!, arguments.GetValue(port), agent.Health, options.Metrics, signals.Token,
                arguments.GetValue(hosts));
            await using (server)
            {
                logging.CreateLogger("node-agent")
                    .LogInformation("Looking after node {Node}; probes and metrics at {Address}", options.NodeName, address);
                await agent.RunAsync(signals.Token);
            }

            return 0;
        });
        return command;
    }

    private static TimeSpan? ParseInterval(ArgumentResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        var factor = text.EndsWith('s') ? 1 : text.EndsWith('m') ? 60 : 0;
        if (factor > 0
            && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count is > 0 and <= 86400)
        {
            return TimeSpan.FromSeconds((long)count * factor);
        }

        result.AddError($"--interval {text}: must be a number of seconds or minutes, such as 60s or 2m");
        return null;
    }
}
