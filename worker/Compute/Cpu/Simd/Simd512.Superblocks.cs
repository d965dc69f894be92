using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Decoding of scales in two planes.</content>
internal readonly unsafe partial struct Simd512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SplitScales(uint* low, int shift, uint* high, int highShift)
    {
        var lower = (Vector512.Load(low) >>> shift) & Vector512.Create(15u);
        var upper = (Vector512.Load(high) >>> highShift) & Vector512.Create(3u);
        return Vector512.ConvertToSingle((lower | (upper << 4)).AsInt32());
    }
}
