using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What node agents say of <c>kernel.numa_balancing</c> where a deployment's pods are. Pure. Called by
/// <see cref="StatusBuilder"/> and, to know when to look again, by <see cref="ModelDeploymentReconciler"/>.</summary>
internal static class NodeTuning
{
    /// <summary>Two of the node agent's default intervals.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>So many nodes a message names: it has to stay readable on a terminal, and below the API server's 32 KiB.</summary>
    private const int NamedNodes = 20;

    /// <summary>The condition NodeTuned for pods that are on nodes.</summary>
    /// <returns>True when it is off everywhere, false when an agent had time enough and has not turned it off, else null.</returns>
    public static (bool? Value, string Reason, string Message) Of(
        IEnumerable<Replica> pods, Func<string, V1Node?> findNode, DateTimeOffset now)
    {
        List<(string Node, bool? Off, string? Why)> nodes =
        [
            .. pods.Where(p => p.Node is not null)
                .GroupBy(p => p.Node!, StringComparer.Ordinal)
                .OrderBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => StateOf(g.Key, findNode(g.Key), g, now)),
        ];
        if (nodes.Count == 0)
        {
            return (null, "NotPlaced", "no replica is on a node yet");
        }

        List<string> untuned = [.. nodes.Where(n => n.Off != true).Select(n => $"{n.Node} ({n.Why})")];
        if (untuned.Count == 0)
        {
            return (true, "NumaBalancingOff", $"kernel.numa_balancing is off at {Listed([.. nodes.Select(n => n.Node)])}");
        }

        var message = $"kernel.numa_balancing is off at {nodes.Count - untuned.Count} of {nodes.Count} nodes, not at {Listed(untuned)}";
        return nodes.Exists(n => n.Off == false) ? (false, "NumaBalancingOn", message) : (null, "AwaitingNodeAgent", message);
    }

    /// <summary>How long the node's agent may still take to turn it off for this pod; zero when it has done so, or should have.</summary>
    public static TimeSpan Remaining(Replica pod, V1Node? node, DateTimeOffset now)
    {
        var left = Patience - (now - pod.Created);
        return Reported(node) is null or "0" || left < TimeSpan.Zero ? TimeSpan.Zero : left < Patience ? left : Patience;
    }

    private static (string Node, bool? Off, string? Why) StateOf(
        string name, V1Node? node, IEnumerable<Replica> pods, DateTimeOffset now) =>
        Reported(node) switch
        {
            null => (name, null, "no node agent has reported it"),
            "0" => (name, true, null),
            var value when pods.All(p => Remaining(p, node, now) > TimeSpan.Zero) =>
                (name, null, $"still {value}, its node agent was asked just now"),
            var value => (name, false, $"it is {value}"),
        };

    private static string? Reported(V1Node? node) => node?.GetAnnotation(NodeAnnotations.NumaBalancing);

    private static string Listed(List<string> items) =>
        items.Count <= NamedNodes
            ? string.Join(", ", items)
            : $"{string.Join(", ", items.Take(NamedNodes))} and {items.Count - NamedNodes} more";
}
