using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Asks for memory before it is needed, where the processor can.</summary>
internal static unsafe class Prefetch
{
    /// <summary>Into all caches. Any address will do: one that does not exist is ignored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>Into the nearest cache only: for what is read once in a step, and would push out what is read again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadOnce(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.PrefetchNonTemporal(address);
        }
    }
}
