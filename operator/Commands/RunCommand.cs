using System.CommandLine;
using Cluster.Common;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;

namespace Cluster.Operator.Commands;

/// <summary><c>run</c>: the operator against a cluster, in a pod or from a workstation, until SIGTERM.</summary>
internal static class RunCommand
{
    private const string LeaseName = "cluster-operator";

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
        var worker = new WorkerPodOptions(defaultImage: null);
        var configs = new ModelConfigOption();
        var workers = new Option<int>("--workers")
        {
            Description = "Deployments reconciled at once.",
            DefaultValueFactory = _ => 4,
            HelpName = "N"
        };
        workers.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var count) && count < 1)
            {
                result.AddError($"--workers {count}: must be at least 1");
            }
        });
        var gateways = new Option<string[]>("--gateway-url")
        {
            Description =
                "Base address of a gateway's metrics port, where the operator reads demand for spec.autoscaling. Can be repeated. Default: "
                + "the pods of the operator's own namespace with the label app.kubernetes.io/component=gateway.",
            HelpName = "URL"
        };
        var gatewayPort = new Option<int>("--gateway-metrics-port")
        {
            Description = "Metrics port of gateways that are pods.",
            DefaultValueFactory = _ => GatewayAccess.DefaultPort,
            HelpName = "PORT"
        };
        gatewayPort.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1
                && int.TryParse(result.Tokens[0].Value, out var number)
                && number is not (>= 1 and <= ushort.MaxValue))
            {
                result.AddError($"--gateway-metrics-port {number}: must be 1 to {ushort.MaxValue}");
            }
        });
        gateways.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => !IsHttp(t.Value)) is { } wrong)
            {
                result.AddError($"--gateway-url {wrong.Value}: must be an address such as http://127.0.0.1:8081");
            }
        });
        var elect = new Option<bool>("--leader-elect")
        {
            Description = "Of several operators let one act, by a Lease.",
            DefaultValueFactory = _ => true
        };
        var electNamespace = new Option<string?>("--leader-elect-namespace")
        {
            Description = "Namespace of the Lease. Default: the operator's own.",
            HelpName = "NAME"
        };
        var port = new Option<int>("--metrics-port")
        {
            Description = "Port of /metrics, /healthz and /readyz; 0 serves none.",
            DefaultValueFactory = _ => 8080,
            HelpName = "PORT"
        };
        var host = new Option<string>("--metrics-host")
        {
            Description = "Address of the metrics port.",
            DefaultValueFactory = _ => "127.0.0.1",
            HelpName = "ADDRESS"
        };
        var hosts = HostCheck.Option();
        var command = new Command("run", "Runs the operator against a cluster until it is told to stop.")
        {
            kubeconfig, context, watched, workers, gateways, gatewayPort, elect, electNamespace, port, host, hosts,
        };
        worker.AddTo(command);
        configs.AddTo(command);
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var logging = ConsoleLogging.Create();
            var configuration = ClientConfiguration.Load(arguments.GetValue(kubeconfig), arguments.GetValue(context));
            var metrics = new MetricsRegistry();
            using var client = KubernetesClient.Create(configuration, observe: new RestClientMetrics(metrics).Observe);
            var pods = worker.Read(arguments);
            var urls = arguments.GetValue(gateways) ?? [];
            if (urls.Length > 0 && pods.GatewayMasterKey is null)
            {
                throw new CommandFailure(
                    "--gateway-url needs --gateway-key-file: gateways tell their demand to whoever has the master key");
            }

            var options = new OperatorOptions
            {
                Worker = pods,
                Gateways = pods.GatewayMasterKey is { } key
                    ? new GatewayAccess(key)
                    {
                        Urls = [.. urls.Select(url => new Uri(url))],
                        Namespace = configuration.Namespace,
                        Port = arguments.GetValue(gatewayPort),
                    }
                    : null,
                ModelConfigs = configs.Read(arguments),
                Namespace = arguments.GetValue(watched),
                Workers = arguments.GetValue(workers),
                LeaderElection = arguments.GetValue(elect)
                    ? new LeaderElectionOptions(
                        arguments.GetValue(electNamespace) ?? configuration.Namespace, LeaseName,
                        $"{Environment.MachineName}-{Guid.NewGuid():N}")
                    : null,
                Metrics = metrics,
                Logging = logging,
            };
            await using var endpoints = await OperatorEndpoints.StartAsync(
                arguments.GetValue(host)!, arguments.GetValue(port), options.Metrics, options.Readiness, signals.Token,
                arguments.GetValue(hosts));
            try
            {
                await OperatorHost.RunAsync(client, options, signals.Token);
            }
            catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
            {
                // Told to stop before it led.
            }
            catch (LeadershipLostException lost)
            {
                throw new CommandFailure($"{lost.Message}; another operator may be the leader by now, so this process exits", lost);
            }

            return 0;
        });
        return command;
    }

    private static bool IsHttp(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && url is { Scheme: "http" or "https" };
}
