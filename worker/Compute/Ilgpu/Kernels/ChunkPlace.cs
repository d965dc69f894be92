using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Where a random number falls: part of <see cref="Sampling"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ChunkPlace
{
    public int Chunk;

    /// <summary>Place among the chunk's masses.</summary>
    public ulong Place;

    /// <summary>Mass of all chunks.</summary>
    public ulong Total;
}
