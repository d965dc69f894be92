using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>The status of a deployment may not be written. No condition can tell it, so nobody should try to write one that does.</summary>
internal sealed class StatusRefusedException(KubernetesException cause) : Exception(cause.Message, cause)
{
    public KubernetesException Cause => cause;
}
