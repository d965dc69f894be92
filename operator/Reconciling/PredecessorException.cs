namespace Cluster.Operator.Reconciling;

/// <summary>An object of a deployment that is gone is still there: the garbage collector will take it, and then its name is free.</summary>
internal sealed class PredecessorException(string message) : Exception(message);
