namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>A model's configuration cannot be had or cannot be understood; the message says why, for a condition.</summary>
internal sealed class ModelConfigException(string message, Exception? inner = null) : Exception(message, inner);
