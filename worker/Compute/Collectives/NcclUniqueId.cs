using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>What <c>ncclUniqueId</c> of nccl.h is: opaque bytes by which the ranks of one group find each other.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal unsafe struct NcclUniqueId
{
    public const int Bytes = 128;

    private fixed byte _opaque[Bytes];
}
