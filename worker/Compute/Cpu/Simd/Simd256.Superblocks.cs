using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal readonly unsafe partial struct Simd256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SplitScales(uint* low, int shift, uint* high, int highShift)
    {
        var lower = (Vector256.Load(low) >>> shift) & Vector256.Create(15u);
        var upper = (Vector256.Load(high) >>> highShift) & Vector256.Create(3u);
        return Vector256.ConvertToSingle((lower | (upper << 4)).AsInt32());
    }
}
