using System.CommandLine;
using Cluster.Operator.Controller;
using Cluster.Operator.Gateway;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Commands;

/// <summary><c>gateway</c>: one address for all models of a cluster, until SIGTERM.</summary>
internal static class GatewayCommand
{
    public static Command Create()
    {
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
        var watched = new Option<string?>("--namespace", "-n")
        {
            Description = "Serve the ModelDeployments of this namespace only. Default: all.",
            HelpName = "NAME"
        };
        var flags = new GatewayFlags();
        var command = new Command("gateway", "Runs one address for all models: routing, failover and queues in front of the workers.")
        {
            kubeconfig, context, watched,
        };
        flags.AddTo(command);
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var logging = ConsoleLogging.Create();
            var configuration = ClientConfiguration.Load(arguments.GetValue(kubeconfig), arguments.GetValue(context));
            var options = flags.Read(arguments) with { Namespace = arguments.GetValue(watched), Logging = logging };
            using var client = KubernetesClient.Create(
                configuration, observe: new RestClientMetrics(options.Metrics).Observe);
            await using var gateway = await GatewayHost.StartAsync(client, options, signals.Token);
            logging.CreateLogger("cluster.gateway").LogInformation(
                "listening: HTTP {Http} gRPC {Grpc} metrics {Internal}", gateway.HttpAddress, gateway.GrpcAddress, gateway.InternalAddress);
            await Task.Delay(Timeout.Infinite, signals.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await gateway.DrainAsync();
            return 0;
        });
        return command;
    }
}
