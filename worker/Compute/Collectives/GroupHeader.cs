using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>The start of a group's shared memory: what all ranks change.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct GroupHeader
{
    public const int Bytes = 128;

    /// <summary>Changes whenever sleepers should look again.</summary>
    [FieldOffset(0)]
    public int Doorbell;

    /// <summary>Ranks asleep, or about to be.</summary>
    [FieldOffset(4)]
    public int Sleepers;

    /// <summary>0, or the first loss seen, packed by <see cref="RankLoss"/>: every rank reports the same one.</summary>
    [FieldOffset(8)]
    public long Loss;
}
