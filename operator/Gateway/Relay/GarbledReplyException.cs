namespace Cluster.Operator.Gateway.Relay;

/// <summary>A replica answers what no worker answers. It is treated as one that failed.</summary>
internal sealed class GarbledReplyException(string message) : Exception(message);
