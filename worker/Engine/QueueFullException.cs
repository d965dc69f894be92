namespace Cluster.Worker.Engine;

/// <summary>The engine has as many requests as it takes; the same request may be accepted a moment later. HTTP 429, gRPC
/// RESOURCE_EXHAUSTED.</summary>
internal sealed class QueueFullException(string message) : Exception(message);
