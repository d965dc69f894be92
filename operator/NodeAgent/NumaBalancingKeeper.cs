
namespace Cluster.Operator.NodeAgent;

/// <summary>Keeps <c>kernel.numa_balancing</c> as the pods of this node ask. Called by <see cref="NodeAgentLoop"/> in every pass.</summary>
/// <remarks>The value found is written to the Node before the switch is touched, so that an agent that dies in between, or that an upgrade
/// replaces, still knows what to restore.</remarks>
internal sealed class NumaBalancingKeeper(NumaBalancingSwitch kernel, ILogger logger)
{
    private static readonly Dictionary<string, string?> None = [];

    /// <param name="wanted">Whether a pod asks for it to be off; null when that is not known for sure: everything stays as it is.</param>
    /// <exception cref="IOException">The switch could not be read or set.</exception>
    /// <exception cref="UnauthorizedAccessException">The agent may not set it.</exception>
    /// <exception cref="Kubernetes.KubernetesException">The Node could not be written; the switch was not touched then, or is
    /// retried.</exception>
    public async Task KeepAsync(NodeRecord node, bool? wanted, CancellationToken cancellationToken)
    {
        var current = kernel.Read();
        var found = node.Annotation(NodeAnnotations.NumaBalancingFound);
        switch (NumaBalancingDecision.Decide(wanted, current, found))
        {
            case NumaBalancingAction.TurnOff:
                await RememberAsync(current);
                kernel.Set(NumaBalancingSwitch.Off);
                logger.LogInformation("kernel.numa_balancing turned off; it was {Value}", current);
                break;
            case NumaBalancingAction.Restore:
                kernel.Set(found!);
                await RememberAsync(null);
                logger.LogInformation(
                    "kernel.numa_balancing restored to {Value}: no pod on this node asks for it to be off any longer", found);
                break;
            case NumaBalancingAction.Forget:
                await RememberAsync(null);
                logger.LogInformation(
                    "kernel.numa_balancing is {Value}, set by somebody else; the {Found} found before is not restored",
                    current ?? "not there", found);
                break;
            case NumaBalancingAction.Leave:
                break;
        }

        Task RememberAsync(string? value) =>
            node.WriteAsync(new Dictionary<string, string?> { [NodeAnnotations.NumaBalancingFound] = value }, None, cancellationToken);
    }

    /// <summary>What to publish: a kernel without the switch does not balance.</summary>
    /// <exception cref="IOException">It could not be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The agent may not read it.</exception>
    public string State() => kernel.Read() ?? NumaBalancingSwitch.Off;
}
