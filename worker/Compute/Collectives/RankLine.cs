using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>What one rank tells the others. Two cache lines, which only that rank writes: processors prefetch lines in pairs.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal unsafe struct RankLine
{
    public const int Bytes = 128;

    public const int Absent = 0;
    public const int Joined = 1;
    public const int Left = 2;

    /// <summary>Barriers this rank has reached.</summary>
    [FieldOffset(0)]
    public int Arrived;

    /// <summary><see cref="Absent"/>, <see cref="Joined"/> or <see cref="Left"/>.</summary>
    [FieldOffset(4)]
    public int State;

    /// <summary>For messages only: a rank's life is seen from its lock (<see cref="RankFile"/>).</summary>
    [FieldOffset(8)]
    public int ProcessId;

    /// <summary>What the rank is in the middle of, packed by <see cref="CollectiveCall"/>: of the last even and the last odd barrier. Two,
    /// because a rank may reach the next barrier before a slow one has compared this one's; it cannot reach the one after.</summary>
    [FieldOffset(16)]
    public fixed long Calls[2];
}
