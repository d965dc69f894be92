using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Operator.Commands;

/// <summary>The options of <c>gateway</c> beside those that say which cluster.</summary>
internal sealed class GatewayFlags
{
    private const double MostSeconds = 1e6;

    private static readonly Dictionary<string, RoutingPolicy> Policies = new(StringComparer.Ordinal)
    {
        ["prefix"] = RoutingPolicy.Prefix,
        ["least-loaded"] = RoutingPolicy.LeastLoaded,
        ["round-robin"] = RoutingPolicy.RoundRobin,
    };

    private readonly Option<string> _host = Address("--host", "Address of the HTTP and gRPC ports.");

    private readonly Option<int> _port = Port("--port", "Port of the HTTP API; 0 takes a free one.", GatewayOptions.DefaultPort);

    private readonly Option<int> _grpcPort = Port(
        "--grpc-port", "Port of the gRPC services; 0 takes a free one.", WorkerFlags.DefaultGrpcPort);

    private readonly Option<string> _metricsHost = Address("--metrics-host", "Address of the metrics port.");

    private readonly Option<int> _metricsPort = Port(
        "--metrics-port", "Port of /metrics, /health, /ready and what the operator asks; 0 takes a free one.",
        GatewayOptions.DefaultInternalPort);

    private readonly Option<string?> _keyFile = new("--gateway-key-file")
    {
        Description =
            "File with the master key that gateway and operator share, at least 16 bytes (openssl rand -hex 32). Workers take requests of "
            + "the gateway by a key derived from it.",
        HelpName = "FILE",
        Required = true,
    };

    private readonly Option<string?> _apiKeysFile = new("--api-keys-file")
    {
        Description =
            "YAML or JSON file of the API keys that callers must show: keys: [{key, name, models, requestsPerMinute, tokensPerMinute}]. "
            + "Read again when it changes. Default: everyone may call.",
        HelpName = "FILE"
    };

    private readonly Option<string> _routing = new("--routing")
    {
        Description =
            "How replicas are chosen. prefix: where the longest beginning of the prompt was computed before, within bounds of load. "
            + "least-loaded: where the fewest tokens are left to compute. round-robin: in turn.",
        DefaultValueFactory = _ => "prefix",
        HelpName = string.Join('|', Policies.Keys)
    };

    private readonly Option<int?> _slots = new("--max-requests-per-replica")
    {
        Description = "Requests in work at one replica; more wait at the gateway. Default: maxNumSeqs of the deployment.",
        HelpName = "N"
    };

    private readonly Option<int> _maxQueue = Count(
        "--max-queue", "Requests of one model that may wait; more are refused with 429.", 1024, least: 0);

    private readonly Option<double> _queueTimeout = Seconds(
        "--queue-timeout", "How long a request may wait for room at a replica before it is refused with 503.", 60);

    private readonly Option<double> _coldStartTimeout = Seconds(
        "--cold-start-timeout", "How long a request may wait for the first replica of its model.", 600);

    private readonly Option<double> _failoverTimeout = Seconds(
        "--failover-timeout", "How long a request whose replica is lost may wait for another one.", 60);

    private readonly Option<double> _idleTimeout = Seconds(
        "--idle-timeout", "Silence of a replica after which it is asked whether it lives; one that does not say so is given up.", 10);

    private readonly Option<int> _maxRetries = Count(
        "--max-retries", "How often a request may go to a further replica after one has failed it.", 5, least: 0);

    private readonly Option<int> _maxBytes = Count(
        "--max-request-bytes", "Largest HTTP body and gRPC message.", GatewayOptions.DefaultMaxRequestBytes, least: 1);

    private readonly Option<long> _maxInflightBytes = new("--max-inflight-request-bytes")
    {
        Description = "Bytes that the bodies of all requests in work may have together, not counting the first 64 KiB of each.",
        DefaultValueFactory = _ => GatewayOptions.DefaultMaxInflightRequestBytes,
        HelpName = "BYTES"
    };

    private readonly Option<double> _shutdownTimeout = Seconds(
        "--shutdown-timeout", "How long running requests may take to finish after SIGTERM.", 30);

    private readonly Option<string[]> _hosts = HostCheck.Option();

    public void AddTo(Command command)
    {
        _routing.AcceptOnlyFromAmong([.. Policies.Keys]);
        foreach (var option in (Option[])
            [_host, _port, _grpcPort, _metricsHost, _metricsPort, _keyFile, _apiKeysFile, _routing, _slots, _maxQueue, _queueTimeout,
            _coldStartTimeout, _failoverTimeout, _idleTimeout, _maxRetries, _maxBytes, _maxInflightBytes, _shutdownTimeout, _hosts])
        {
            command.Add(option);
        }

        _slots.Validators.Add(result => AtLeast(result, 1));
        _maxInflightBytes.Validators.Add(result => AtLeast(result, 1));
    }

    /// <exception cref="IOException">The key file cannot be read.</exception>
    public GatewayOptions Read(ParseResult arguments) => new()
    {
        MasterKey = ReadKey(arguments.GetRequiredValue(_keyFile)!),
        Host = IPAddress.Parse(arguments.GetRequiredValue(_host)),
        Port = arguments.GetValue(_port),
        GrpcPort = arguments.GetValue(_grpcPort),
        InternalHost = IPAddress.Parse(arguments.GetRequiredValue(_metricsHost)),
        InternalPort = arguments.GetValue(_metricsPort),
        AllowedHosts = arguments.GetValue(_hosts) ?? [],
        ApiKeysFile = arguments.GetValue(_apiKeysFile),
        Routing = Policies[arguments.GetRequiredValue(_routing)],
        MaxRequestsPerReplica = arguments.GetValue(_slots),
        MaxQueue = arguments.GetValue(_maxQueue),
        QueueTimeout = TimeSpan.FromSeconds(arguments.GetValue(_queueTimeout)),
        ColdStartTimeout = TimeSpan.FromSeconds(arguments.GetValue(_coldStartTimeout)),
        FailoverTimeout = TimeSpan.FromSeconds(arguments.GetValue(_failoverTimeout)),
        IdleTimeout = TimeSpan.FromSeconds(arguments.GetValue(_idleTimeout)),
        MaxRetries = arguments.GetValue(_maxRetries),
        MaxRequestBytes = arguments.GetValue(_maxBytes),
        MaxInflightRequestBytes = arguments.GetValue(_maxInflightBytes),
        ShutdownTimeout = TimeSpan.FromSeconds(arguments.GetValue(_shutdownTimeout)),
    };

    private static byte[] ReadKey(string file)
    {
        try
        {
            return GatewayKey.ReadMaster(file);
        }
        catch (InvalidDataException wrong)
        {
            throw new CommandFailure($"--gateway-key-file {wrong.Message}", wrong);
        }
    }

    private static Option<string> Address(string name, string description)
    {
        var option = new Option<string>(name)
        {
            Description = description,
            DefaultValueFactory = _ => IPAddress.Loopback.ToString(),
            HelpName = "ADDRESS"
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !IPAddress.TryParse(token.Value, out _))
            {
                result.AddError($"{name} {token.Value}: must be an IP address, such as 0.0.0.0 for every interface");
            }
        });
        return option;
    }

    private static Option<int> Port(string name, string description, int standard)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard, HelpName = "PORT" };
        option.Validators.Add(result => Within(result, 0, ushort.MaxValue));
        return option;
    }

    private static Option<int> Count(string name, string description, int standard, int least)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard, HelpName = "N" };
        option.Validators.Add(result => Within(result, least, int.MaxValue));
        return option;
    }

    private static Option<double> Seconds(string name, string description, double standard)
    {
        var option = new Option<double>(name) { Description = description, DefaultValueFactory = _ => standard, HelpName = "SECONDS" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && double.TryParse(token.Value, out var value) && value is not (> 0 and <= MostSeconds))
            {
                result.AddError($"{name} {token.Value}: must be above 0 and at most {MostSeconds} seconds");
            }
        });
        return option;
    }

    private static void AtLeast(OptionResult result, long least) => Within(result, least, long.MaxValue);

    private static void Within(OptionResult result, long least, long most)
    {
        if (result.Tokens is [var token] && long.TryParse(token.Value, out var value) && (value < least || value > most))
        {
            var range = most is int.MaxValue or long.MaxValue ? $"at least {least}" : $"{least} to {most}";
            result.AddError($"{result.Option.Name} {token.Value}: must be {range}");
        }
    }
}
