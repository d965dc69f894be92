using System.CommandLine;
using System.Globalization;
using System.Net;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Tls;

namespace Cluster.Worker.Commands;

/// <summary>The options of <c>serve</c> that say where it listens, and whom and what it takes.</summary>
internal sealed class ServingFlags
{
    /// <summary>Where keys may stand instead of the process' arguments, which every user of a machine can list. The second is vLLM's name.</summary>
    private static readonly string[] KeyVariables = ["CLUSTER_API_KEY", "VLLM_API_KEY"];

    private readonly Option<string> host = new("--host") { Description = "Address to listen on; 0.0.0.0 for every interface.", DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS" };

    private readonly Option<int> port = Port("--port", "Port of the HTTP API.", 8000);

    private readonly Option<int> grpcPort = Port("--grpc-port", "Port of the gRPC services.", 50051);

    private readonly Option<double> shutdownTimeout = new("--shutdown-timeout") { Description = "Seconds running requests get to finish after SIGTERM.", DefaultValueFactory = _ => 30, HelpName = "SECONDS" };

    private readonly Option<string[]> apiKey = new("--api-key") { Description = "Keys of which callers must show one as a bearer token. Better set in CLUSTER_API_KEY or VLLM_API_KEY (several with commas between), which other users of the machine cannot see.", AllowMultipleArgumentsPerToken = true, HelpName = "KEY" };

    private readonly Option<string?> tlsCert = new("--tls-cert", "--ssl-certfile") { Description = "PEM file with the server's certificate and its intermediates; both ports then speak TLS. Read again when it changes.", HelpName = "FILE" };

    private readonly Option<string?> tlsKey = new("--tls-key", "--ssl-keyfile") { Description = "PEM file with the certificate's private key.", HelpName = "FILE" };

    private readonly Option<int> maxRequestBytes = new("--max-request-bytes") { Description = "Largest HTTP body and gRPC message; a larger one is refused (413, RESOURCE_EXHAUSTED).", DefaultValueFactory = _ => ServerOptions.DefaultMaxRequestBytes, HelpName = "BYTES" };

    private readonly Option<double?> requestTimeout = new("--request-timeout") { Description = $"Longest time a request may take. A caller may ask for less ({Serving.Http.RequestDeadline.Header}, grpc-timeout). Default: no limit.", HelpName = "SECONDS" };

    /// <summary>Adds every option to the command, with its checks.</summary>
    public void AddTo(Command command)
    {
        host.Validators.Add(result =>
        {
            if (!IPAddress.TryParse(result.GetValueOrDefault<string>(), out _))
            {
                result.AddError($"--host {result.GetValueOrDefault<string>()}: not an IP address");
            }
        });
        maxRequestBytes.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value < 1)
            {
                result.AddError($"--max-request-bytes {value}: must be at least 1");
            }
        });
        requestTimeout.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && !(value is > 0 and <= 1e9))
            {
                result.AddError($"--request-timeout {result.Tokens[0].Value}: must be above 0 and at most a thousand million seconds");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.GetValue(tlsCert) is null != result.GetValue(tlsKey) is null)
            {
                result.AddError("--tls-cert and --tls-key need each other");
            }
        });
        foreach (var option in (Option[])[host, port, grpcPort, shutdownTimeout, apiKey, tlsCert, tlsKey, maxRequestBytes, requestTimeout])
        {
            command.Options.Add(option);
        }
    }

    /// <param name="environment">Value of an environment variable, or null.</param>
    /// <exception cref="CommandFailure">A key cannot be used.</exception>
    public ServerOptions Read(ParseResult arguments, Func<string, string?> environment) =>
        new(
            arguments.GetValue(host)!,
            arguments.GetValue(port),
            arguments.GetValue(grpcPort),
            TimeSpan.FromSeconds(arguments.GetValue(shutdownTimeout)))
        {
            Tls = arguments.GetValue(tlsCert) is { } certificate ? new TlsFiles(certificate, arguments.GetValue(tlsKey)!) : null,
            ApiKeys = Keys(arguments.GetValue(apiKey) ?? [], environment),
            MaxRequestBytes = arguments.GetValue(maxRequestBytes),
            RequestTimeout = arguments.GetValue(requestTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        };

    /// <summary>Arguments count before the environment. A variable that is set but holds nothing is a secret that did not arrive, not a wish to let everyone in.</summary>
    private static ApiKeys Keys(IReadOnlyList<string> arguments, Func<string, string?> environment)
    {
        try
        {
            if (arguments.Count > 0)
            {
                return new ApiKeys(arguments);
            }

            foreach (var name in KeyVariables)
            {
                if (environment(name) is { } value)
                {
                    var keys = value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                    return keys.Length > 0 ? new ApiKeys(keys) : throw new CommandFailure($"{name} is set but holds no key; unset it to let everyone in");
                }
            }
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }

        return ApiKeys.None;
    }

    private static Option<int> Port(string name, string description, int fallback)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "PORT" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value is < 0 or > 65535)
            {
                result.AddError($"{name} {value}: must be 0 to 65535");
            }
        });
        return option;
    }
}
