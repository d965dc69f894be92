using Cluster.Operator.Gateway.Page;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>SIGKILL for the processes of a pod that runs on this machine's node. The node sees a container that ended, as always.</summary>
internal sealed class ReplicaKiller : IReplicaKiller
{
    /// <summary>Set once the node exists: the gateway, which asks, is older than the node.</summary>
    public LocalNode? Node { get; set; }

    public KillOutcome Kill(string @namespace, string pod) =>
        Node?.FindPod(@namespace, pod) is not { } runner ? KillOutcome.Unknown
        : runner.Container(null)?.Running?.KillNow() == true ? KillOutcome.Killed
        : KillOutcome.NotRunning;
}
