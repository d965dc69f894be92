using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Plugin;
using k8s.Models;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>Whom <c>chat</c> and <c>bench</c> talk to: replicas through the API server, or an address that leads to them.</summary>
internal sealed class ServerOptions
{
    private readonly ClusterOptions _cluster = new();

    private readonly Argument<string> _name;

    private readonly Option<string?> _address = new("--address")
    {
        Description =
            "URL of a gateway or a Service to talk to instead of replicas; NAME is then the name that the model is served under, and the "
            + "cluster is not asked.",
        HelpName = "URL"
    };

    private readonly Option<string?> _replica = new("--replica")
    {
        Description = "Only this pod of the deployment.",
        HelpName = "POD"
    };

    public ServerOptions()
    {
        _name = _cluster.DeploymentName();
        _address.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && Parse(token.Value) is null)
            {
                result.AddError($"--address {token.Value}: must be http(s)://host[:port][/path]");
            }
        });
        _replica.Validators.Add(result =>
        {
            if (result.GetValue(_address) is not null)
            {
                result.AddError("--replica and --address: an address leads to replicas by itself");
            }
        });
    }

    public void AddTo(Command command)
    {
        command.Arguments.Add(_name);
        command.Options.Add(_address);
        command.Options.Add(_replica);
        _cluster.AddTo(command);
    }

    /// <exception cref="CommandFailure">No replica is ready, or there is no such deployment.</exception>
    public async Task<Servers> OpenAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var name = arguments.GetRequiredValue(_name);
        if (arguments.GetValue(_address) is { } text)
        {
            var address = Parse(text)!;
            return new Servers(name, null, [new Server($"{address}", ReplicaHttp.To(address, ApiKey.OfEnvironment()))]);
        }

        var connection = _cluster.Connect(arguments);
        try
        {
            var deployment = await connection.Cluster.DeploymentAsync(connection.Namespace, name, cancellationToken);
            var pods = await connection.Cluster.WorkersAsync(deployment, cancellationToken);
            var wanted = arguments.GetValue(_replica);
            if (wanted is not null && pods.All(pod => pod.Metadata.Name != wanted))
            {
                var names = string.Join(", ", pods.Select(pod => pod.Metadata.Name).DefaultIfEmpty("none"));
                throw new CommandFailure($"{name} has no pod '{wanted}'; it has {names}");
            }

            List<V1Pod> ready = [
                .. pods.Where(pod => ReplicaHttp.IsServing(pod) && (wanted is null || pod.Metadata.Name == wanted))];
            return ready.Count == 0
                ? throw new CommandFailure(
                    $"no replica of {name} is ready ({deployment.Scaled().Spec.Replicas} wanted); kubectl mdep explain {name} says why")
                : new Servers(
                    deployment.ServedName(), connection,
                    [.. ready.Select(pod => new Server(
                        pod.Metadata.Name, ReplicaHttp.Over(connection.Cluster.Pods, pod, ApiKey.OfEnvironment())))]);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static Uri? Parse(string text) =>
        Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}", UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri is { Query: "", Fragment: "", UserInfo: "" }
            ? uri
            : null;
}

/// <param name="Name">As messages name it.</param>
internal sealed record Server(string Name, HttpClient Http);

/// <summary>Those that answer for one model.</summary>
/// <param name="Model">The name to request.</param>
internal sealed record Servers(string Model, Connection? Connection, IReadOnlyList<Server> All) : IDisposable
{
    public void Dispose()
    {
        foreach (var server in All)
        {
            server.Http.Dispose();
        }

        Connection?.Dispose();
    }
}
