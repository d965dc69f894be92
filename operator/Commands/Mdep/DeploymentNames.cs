using System.CommandLine.Completions;
using Cluster.Common;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>The deployments that are there, for a shell that completes a name.</summary>
internal static class DeploymentNames
{
    /// <summary>Whoever presses the tabulator waits for no longer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>None when the cluster cannot be asked: a completion has nobody to complain to.</returns>
    public static IEnumerable<CompletionItem> Of(Func<Connection> connect)
    {
        try
        {
            using var connection = connect();
            using CancellationTokenSource late = new(Patience);

            // The library asks for completions synchronously; there is no context to wait for one another.
            return [
                .. connection.Cluster.DeploymentsAsync(connection.Namespace, null, late.Token).GetAwaiter().GetResult()
                    .Select(deployment => new CompletionItem(deployment.Metadata.Name))];
        }
        catch (Exception error) when (error is KubernetesException or CommandFailure or OperationCanceledException or IOException)
        {
            return [];
        }
    }
}
