using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How inputs become integers: input / scale to the nearest, ties to even. Used by <see cref="IntegerTiles{TDots}"/> for 8 bits
/// and by <see cref="RoundedSegmentInputs{TCodes}"/> for 16.</summary>
internal static unsafe class InputRounding
{
    /// <summary>One over less is no number; inputs as small as that count as zeros.</summary>
    private const float SmallestScale = 1e-38f;

    /// <returns>Zero for a scale that is too small to divide by; NaN stays NaN.</returns>
    public static float Usable(float scale) => scale < SmallestScale ? 0 : scale;

    /// <param name="scale">A usable one.</param>
    public static Vector128<float> Inverse(float scale) => Vector128.Create(scale == 0 ? 0 : 1 / scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> x, Vector128<float> inverse, float least, float most) => Vector128.MinNative(
        Vector128.MaxNative(Vector128.Round(x * inverse), Vector128.Create(least)), Vector128.Create(most));

    /// <summary>The largest magnitude; NaN where an input is infinite or none, so that what comes of it is none either.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Largest(float* x, int count)
    {
        Vector128<float> largest = default, doubt = default;
        var k = 0;
        for (; k <= count - Vector128<float>.Count; k += Vector128<float>.Count)
        {
            var four = Vector128.Load(x + k);
            largest = Vector128.MaxNative(largest, Vector128.Abs(four));
            doubt += four * 0;
        }

        var most = MathF.Max(MathF.Max(largest[0], largest[1]), MathF.Max(largest[2], largest[3]));
        var sum = Vector128.Sum(doubt);
        for (; k < count; k++)
        {
            most = MathF.Max(most, MathF.Abs(x[k]));
            sum += x[k] * 0;
        }

        return most + sum;
    }
}
