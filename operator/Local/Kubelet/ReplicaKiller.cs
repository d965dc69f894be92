using Cluster.Operator.Gateway.Page;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>SIGKILL for the processes of a pod that runs on this machine's node. The node sees a container that ended, as always.</summary>
internal sealed class ReplicaKiller(LocalNode node) : IReplicaKiller
{
    public KillOutcome Kill(string @namespace, string pod) =>
        node.FindPod(@namespace, pod) is not { } runner ? KillOutcome.Unknown
        : runner.Container(null)?.Running?.KillNow() == true ? KillOutcome.Killed
        : KillOutcome.NotRunning;
}
