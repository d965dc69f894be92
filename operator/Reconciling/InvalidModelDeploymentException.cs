namespace Cluster.Operator.Reconciling;

/// <summary>A ModelDeployment no pod can be made from. Trying again cannot help; its author must change it, so the message is
/// written for them and lands in the conditions.</summary>
internal sealed class InvalidModelDeploymentException(string message, Exception? inner = null) : Exception(message, inner);
