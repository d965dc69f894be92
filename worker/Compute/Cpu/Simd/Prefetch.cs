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

    /// <summary><see cref="ReadOnce(void*)"/> of some bytes, which are a constant: without a loop.</summary>
    /// <param name="bytes">Up to four lines of 64.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadOnce(byte* address, int bytes)
    {
        const int LineBytes = 64;
        ReadOnce(address);
        if (bytes > LineBytes)
        {
            ReadOnce(address + LineBytes);
        }

        if (bytes > 2 * LineBytes)
        {
            ReadOnce(address + 2 * LineBytes);
            ReadOnce(address + 3 * LineBytes);
        }
    }

    /// <summary><see cref="Read(void*)"/> of some bytes, likewise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(byte* address, int bytes)
    {
        const int LineBytes = 64;
        Read(address);
        if (bytes > LineBytes)
        {
            Read(address + LineBytes);
        }

        if (bytes > 2 * LineBytes)
        {
            Read(address + 2 * LineBytes);
            Read(address + 3 * LineBytes);
        }
    }
}
