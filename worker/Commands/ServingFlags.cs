using System.CommandLine;
using System.Net;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Serving.Tls;

namespace Cluster.Worker.Commands;

/// <summary>The options of <c>serve</c> that say where it listens, and whom and what it takes.</summary>
internal sealed class ServingFlags
{
    /// <summary>Where keys may stand instead of the process' arguments, which every user of a machine can list. The second is vLLM's
    /// name.</summary>
    private static readonly string[] KeyVariables = ["CLUSTER_API_KEY", "VLLM_API_KEY"];

    private static readonly FileKind KeyFile = new("a list of keys", 1 << 20);

    /// <summary>Where the operator puts the key of the deployment's gateway.</summary>
    private const string GatewayKeyVariable = "CLUSTER_GATEWAY_KEY";

    /// <summary>The pod's name, by the downward API.</summary>
    private const string PodNameVariable = "POD_NAME";

    private static readonly FileKind GatewayKeyFile = new("a gateway key", 1 << 16);

    private const string LocalHost = "localhost";
    private const string Shared = "none";
    private const string ByKey = "key";

    private readonly Option<string> _host = WorkerFlags.Host.Text();

    private readonly Option<int> _port = WorkerFlags.Port.Integer();

    private readonly Option<int?> _grpcPort = WorkerFlags.GrpcPort.OptionalInteger();

    private readonly Option<double> _shutdownTimeout = WorkerFlags.ShutdownTimeout.Number();

    private readonly Option<string[]> _apiKey = new("--api-key")
    {
        Description =
            "API keys; callers must send one of them as a bearer token. A file, CLUSTER_API_KEY or VLLM_API_KEY (several keys separated "
            + "by commas) is safer: other users of the machine can see arguments.",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "KEY"
    };

    private readonly Option<string?> _apiKeyFile = new("--api-key-file")
    {
        Description = "File with API keys, one per line; # starts a comment. Read at startup.",
        HelpName = "FILE"
    };

    private readonly Option<string?> _gatewayKeyFile = new("--gateway-key-file")
    {
        Description =
            "File with the key that the gateway in front of this worker shows; CLUSTER_GATEWAY_KEY has it otherwise. Whoever shows it "
            + "needs no API key, and may have a stream go on that another replica has begun. Read at startup.",
        HelpName = "FILE"
    };

    private readonly Option<string> _cacheIsolation = new("--cache-isolation")
    {
        Description =
            "With which requests the prefix cache is shared: all of them, or those of the same API key. How long an answer takes to begin "
            + "tells whether its prefix is cached; with key, callers can learn nothing of others' prompts that way.",
        DefaultValueFactory = _ => Shared,
        HelpName = "none|key"
    };

    private readonly Option<string?> _tlsCert = new("--tls-cert", "--ssl-certfile")
    {
        Description =
            "PEM file with the server's certificate and its intermediates; both ports then speak TLS. Read again when it changes.",
        HelpName = "FILE"
    };

    private readonly Option<string?> _tlsKey = new("--tls-key", "--ssl-keyfile")
    {
        Description = "PEM file with the certificate's private key.",
        HelpName = "FILE"
    };

    private readonly Option<string[]> _allowedHosts = new(HostGuard.Flag)
    {
        Description =
            "Further names that callers may use in the Host header or :authority; *.example.com is every name below one. On a loopback "
            + "address others than localhost and the address itself are refused (421, PERMISSION_DENIED); elsewhere all are allowed "
            + "unless this is given.",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "NAME"
    };

    private readonly Option<int> _maxRequestBytes = new Option<int>("--max-request-bytes")
    {
        Description = "Largest HTTP body and gRPC message; a larger one is refused (413, RESOURCE_EXHAUSTED).",
        DefaultValueFactory = _ => ServerOptions.DefaultMaxRequestBytes,
        HelpName = "BYTES"
    }.Between(1);

    private readonly Option<long> _maxInflightRequestBytes = new Option<long>("--max-inflight-request-bytes")
    {
        Description =
            "Bytes that the bodies of all requests in work may have together, not counting the first 64 KiB of each; more are refused "
            + "(429, RESOURCE_EXHAUSTED). At least --max-request-bytes.",
        DefaultValueFactory = _ => ServerOptions.DefaultMaxInflightRequestBytes,
        HelpName = "BYTES"
    };

    private readonly Option<double?> _requestTimeout = new Option<double?>("--request-timeout")
    {
        Description =
            $"Maximum duration of a request. A caller may ask for less ({Serving.Http.RequestDeadline.Header}, grpc-timeout). Default: "
            + "no limit.",
        HelpName = "SECONDS"
    }
        .Only(value => value is > 0 and <= 1e9, "above 0 and at most 1000000000 seconds");

    private readonly Option<double> _healthTimeout = new Option<double>("--health-timeout")
    {
        Description =
            "Seconds without a sign of life from an engine that has work, after which /health answers 503 and gRPC health NOT_SERVING; "
            + "0 for any number.",
        DefaultValueFactory = _ => WorkerHealth.DefaultTimeout.TotalSeconds,
        HelpName = "SECONDS"
    }
        .Only(value => value is >= 0 and <= 1e9, "0 to 1000000000 seconds");

    private readonly Option<double> _probeInterval = new Option<double>("--probe-interval")
    {
        Description =
            "Seconds between two looks at whether the model still answers a sample prompt as it did at start, to the last bit. A worker "
            + "whose device answers otherwise is unready with the reason WrongResults from then on. 0 for none.",
        DefaultValueFactory = _ => 300,
        HelpName = "SECONDS"
    }
        .Only(value => value is 0 or (>= 0.001 and <= 1e6), "0, or 0.001 to 1000000 seconds");

    private readonly CrossOriginFlags _crossOrigin = new();

    /// <summary>The option alone, for commands that answer requests without listening.</summary>
    public static Option<string?> ChatTemplate() => new("--chat-template")
    {
        Description = "Chat template in place of the checkpoint's: a file, or the template itself (Jinja).",
        HelpName = "FILE|TEMPLATE",
    };

    /// <summary>Adds every option to the command, with its checks.</summary>
    public void AddTo(Command command)
    {
        _host.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != LocalHost && !IPAddress.TryParse(token.Value, out _))
            {
                result.AddError($"--host {token.Value}: must be {LocalHost} or an IP address, such as 0.0.0.0 for every interface");
            }
        });
        _cacheIsolation.AcceptOnlyFromAmong(Shared, ByKey);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_apiKey) is not null && result.GetResult(_apiKeyFile) is not null)
            {
                result.AddError("--api-key and --api-key-file cannot be used together");
            }

            if (result.GetValue(_tlsCert) is null != result.GetValue(_tlsKey) is null)
            {
                result.AddError("--tls-cert and --tls-key must be given together");
            }
        });
        foreach (var option in (Option[])[
            _host, _port, _grpcPort, _shutdownTimeout, _apiKey, _apiKeyFile, _gatewayKeyFile, _tlsCert, _tlsKey, _cacheIsolation,
            _allowedHosts, _maxRequestBytes, _maxInflightRequestBytes, _requestTimeout, _healthTimeout, _probeInterval])
        {
            command.Options.Add(option);
        }

        _crossOrigin.AddTo(command);
    }

    /// <param name="environment">Value of an environment variable, or null.</param>
    /// <exception cref="CommandFailure">A key cannot be used.</exception>
    public ServerOptions Read(ParseResult arguments, Func<string, string?> environment)
    {
        var options = Options(arguments, environment);
        return options is { IsolatesCacheByKey: true, ApiKeys.IsEmpty: true, GatewayKey: null }
            ? throw new CommandFailure("--cache-isolation key: there are no API keys to tell callers by; give some with --api-key-file")
            : options;
    }

    /// <summary>Time between two known answers; zero for none.</summary>
    public TimeSpan ProbeInterval(ParseResult arguments) => TimeSpan.FromSeconds(arguments.GetValue(_probeInterval));

    private ServerOptions Options(ParseResult arguments, Func<string, string?> environment) =>
        new(
            arguments.GetValue(_host) is var name && name == LocalHost ? IPAddress.Loopback.ToString() : name!,
            arguments.GetValue(_port),
            arguments.GetValue(_grpcPort) ?? ServerOptions.GrpcPortFor(arguments.GetValue(_port)),
            TimeSpan.FromSeconds(arguments.GetValue(_shutdownTimeout)))
        {
            Tls = arguments.GetValue(_tlsCert) is { } certificate ? new TlsFiles(certificate, arguments.GetValue(_tlsKey)!) : null,
            ApiKeys = Keys(arguments.GetValue(_apiKey) ?? [], arguments.GetValue(_apiKeyFile), environment),
            GatewayKey = GatewayKeyOf(arguments.GetValue(_gatewayKeyFile), environment),
            ReplicaName = environment(PodNameVariable) is { Length: > 0 } pod && pod.All(IsNameCharacter) ? pod : null,
            IsolatesCacheByKey = arguments.GetValue(_cacheIsolation) == ByKey,
            OpenSecrets = [
                .. new[] { arguments.GetValue(_apiKeyFile), arguments.GetValue(_gatewayKeyFile), arguments.GetValue(_tlsKey) }
                    .OfType<string>().Where(IsReadableByOthers)],
            CrossOrigin = _crossOrigin.Read(arguments),
            AllowedHosts = arguments.GetValue(_allowedHosts) ?? [],
            HealthTimeout = TimeSpan.FromSeconds(arguments.GetValue(_healthTimeout)),
            MaxRequestBytes = arguments.GetValue(_maxRequestBytes),
            MaxInflightRequestBytes = InflightBytes(arguments),
            RequestTimeout = arguments.GetValue(_requestTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        };

    /// <summary>Arguments count before the environment. A variable that is set but holds nothing is a secret that did not arrive, not a
    /// wish to let everyone in.</summary>
    private static ApiKeys Keys(IReadOnlyList<string> arguments, string? file, Func<string, string?> environment)
    {
        try
        {
            if (arguments.Count > 0)
            {
                return new ApiKeys(arguments);
            }

            if (file is not null)
            {
                return new ApiKeys(ReadKeys(file));
            }

            foreach (var name in KeyVariables)
            {
                if (environment(name) is { } value)
                {
                    var keys = value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                    return keys.Length > 0
                        ? new ApiKeys(keys)
                        : throw new CommandFailure($"{name} is set but holds no key; unset it to serve without authentication");
                }
            }
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }

        return ApiKeys.None;
    }

    /// <summary>The file counts before the environment.</summary>
    private static GatewayKey? GatewayKeyOf(string? file, Func<string, string?> environment)
    {
        var (name, value) = file is null ? (GatewayKeyVariable, environment(GatewayKeyVariable))
            : ($"--gateway-key-file {file}", ReadGatewayKey(file));
        try
        {
            return value is null ? null : new GatewayKey(value.Trim());
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure($"{name}: {exception.Message}", exception);
        }
    }

    /// <exception cref="CommandFailure">The file cannot be read. The message holds none of it.</exception>
    private static string ReadGatewayKey(string file)
    {
        try
        {
            return RegularFile.ReadText(file, GatewayKeyFile);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure($"--gateway-key-file {file}: {exception.Message}", exception);
        }
    }

    /// <summary>Of names of pods; nothing else goes into a header.</summary>
    private static bool IsNameCharacter(char character) => char.IsAsciiLetterOrDigit(character) || character is '-' or '.';

    private long InflightBytes(ParseResult arguments)
    {
        var (all, one) = (arguments.GetValue(_maxInflightRequestBytes), arguments.GetValue(_maxRequestBytes));
        return all >= one ? all
            : throw new CommandFailure($"--max-inflight-request-bytes {all}: must be at least --max-request-bytes, which is {one}");
    }

    private static bool IsReadableByOthers(string file) =>
        !OperatingSystem.IsWindows() && File.Exists(file) && File.GetUnixFileMode(file).HasFlag(UnixFileMode.OtherRead);

    /// <exception cref="CommandFailure">The file cannot be read, is no list of keys, or an empty one. The message holds none of
    /// it.</exception>
    private static string[] ReadKeys(string file)
    {
        try
        {
            string[] keys =
            [
                .. RegularFile.ReadText(file, KeyFile).Split('\n').Select(line => line.Trim())
                    .Where(line => line.Length > 0 && line[0] != '#'),
            ];
            return keys.Length > 0 ? keys : throw new CommandFailure($"--api-key-file {file}: holds no key");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure($"--api-key-file {file}: {exception.Message}", exception);
        }
    }
}
