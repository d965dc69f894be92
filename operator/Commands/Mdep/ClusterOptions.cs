using System.CommandLine;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Plugin;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>Which cluster and which namespace: options of every <c>kubectl mdep</c> command, with kubectl's names.</summary>
internal sealed class ClusterOptions
{
    private readonly Option<string?> _kubeconfig = new("--kubeconfig")
    {
        Description = "kubeconfig file. Default: as kubectl finds it.",
        HelpName = "FILE"
    };

    private readonly Option<string?> _context = new("--context")
    {
        Description = "Context of the kubeconfig. Default: its current one.",
        HelpName = "NAME"
    };

    private readonly Option<string?> _namespace = new("--namespace", "-n")
    {
        Description = "Namespace of the deployment. Default: the context's.",
        HelpName = "NAME"
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_namespace);
        command.Options.Add(_context);
        command.Options.Add(_kubeconfig);
    }

    /// <exception cref="KubernetesException">There is no configuration, or it is wrong.</exception>
    public Connection Connect(ParseResult arguments)
    {
        var configuration = ClientConfiguration.Load(arguments.GetValue(_kubeconfig), arguments.GetValue(_context));
        return new Connection(KubernetesClient.Create(configuration), arguments.GetValue(_namespace) ?? configuration.Namespace);
    }

    /// <summary>The deployment that a command is about, with its name completed from the cluster.</summary>
    public Argument<string> DeploymentName()
    {
        Argument<string> name = new("NAME") { Description = "Name of the ModelDeployment.", HelpName = "NAME" };
        name.CompletionSources.Add(context => DeploymentNames.Of(() => Connect(context.ParseResult)));
        return name;
    }
}

/// <summary>A client and the namespace to look into.</summary>
internal sealed record Connection(KubernetesClient Client, string Namespace) : IDisposable
{
    public ClusterAccess Cluster { get; } = new(Client);

    public void Dispose() => Client.Dispose();
}
