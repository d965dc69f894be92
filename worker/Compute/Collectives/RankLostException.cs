namespace Cluster.Worker.Compute.Collectives;

/// <summary>A rank of the group has ended or has not answered in time: no step can be computed any more, so the replica ends.</summary>
internal sealed class RankLostException(string message, Exception? innerException = null) : Exception(message, innerException);
