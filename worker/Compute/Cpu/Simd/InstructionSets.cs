using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>What the vector widths are called on this machine, for the start log.</summary>
internal static class InstructionSets
{
    public static string Describe(VectorWidth width) => width switch
    {
        VectorWidth.Bits512 => Vector512.IsHardwareAccelerated ? "AVX-512" : "512-bit vectors in software",
        VectorWidth.Bits256 =>
            !Vector256.IsHardwareAccelerated ? "256-bit vectors in software" : Fma.IsSupported ? "AVX2 + FMA" : "256-bit vectors",
        _ => "scalar",
    };
}
