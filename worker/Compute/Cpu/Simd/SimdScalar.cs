using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>One float at a time, for processors without usable vectors.</summary>
internal readonly unsafe partial struct SimdScalar : ISimd<float>
{
    public static int Lanes => 1;

    public static int MaxRows => 4;

    public static float Create(float value) => value;

    public static float Load(float* source) => *source;

    public static void Store(float vector, float* destination) => *destination = vector;

    public static float Add(float a, float b) => a + b;

    public static float Subtract(float a, float b) => a - b;

    public static float Multiply(float a, float b) => a * b;

    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    public static float Min(float a, float b) => a < b ? a : b;

    public static float Max(float a, float b) => a > b ? a : b;

    public static float Abs(float a) => MathF.Abs(a);

    public static float Round(float a) => MathF.Round(a);

    public static float SelectNegative(float x, float negative, float other) => x < 0 ? negative : other;

    public static float PowerOfTwo(float n) => BitConverter.Int32BitsToSingle(((int)n + 127) << 23);

    public static float Sum(float a) => a;

    public static float Largest(float a) => a;

    public static float LowBf16(uint* words) => BitConverter.UInt32BitsToSingle(*words << 16);

    public static float HighBf16(uint* words) => BitConverter.UInt32BitsToSingle(*words & 0xFFFF_0000);

    public static float LowF16(uint* words) => (float)BitConverter.UInt16BitsToHalf((ushort)*words);

    public static float HighF16(uint* words) => (float)BitConverter.UInt16BitsToHalf((ushort)(*words >> 16));
}
