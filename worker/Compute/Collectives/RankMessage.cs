namespace Cluster.Worker.Compute.Collectives;

/// <summary>Floats that go from one rank's device to another's.</summary>
/// <param name="Peer">The other rank.</param>
/// <param name="Address">Device address: where they are, or where they go.</param>
internal readonly record struct RankMessage(int Peer, nint Address, long Count, bool IsReceived);
