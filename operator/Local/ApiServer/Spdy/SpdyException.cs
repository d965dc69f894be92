namespace Cluster.Operator.Local.ApiServer.Spdy;

/// <summary>The client breaks the protocol or one of its limits: the connection ends.</summary>
internal sealed class SpdyException(string message) : Exception(message);
