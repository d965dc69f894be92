using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>How <see cref="KvLayer"/> stores one element. Encoding rounds to nearest, ties to even; decoding is exact.</summary>
internal unsafe interface ICacheCodes
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    static abstract void Store(float value, byte* destination);

    /// <summary>As many elements as there are lanes.</summary>
    static abstract V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V>;
}

internal readonly unsafe struct F32Codes : ICacheCodes
{
    public static int Size => sizeof(float);

    public static void Store(float value, byte* destination) => *(float*)destination = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)source);
}

internal readonly unsafe struct Bf16Codes : ICacheCodes
{
    public static int Size => sizeof(ushort);

    public static void Store(float value, byte* destination)
    {
        // NaN would be carried into infinity where only low bits of its mantissa are set.
        var bits = BitConverter.SingleToUInt32Bits(value);
        *(ushort*)destination = (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadBf16(source);
}

internal readonly unsafe struct F16Codes : ICacheCodes
{
    public static int Size => sizeof(ushort);

    public static void Store(float value, byte* destination) => *(Half*)destination = (Half)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadF16(source);
}

internal readonly unsafe struct E4M3Codes : ICacheCodes
{
    public static int Size => 1;

    public static void Store(float value, byte* destination) => *destination = Fp8.ToE4M3(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadE4M3(source);
}

internal readonly unsafe struct E5M2Codes : ICacheCodes
{
    public static int Size => 1;

    public static void Store(float value, byte* destination) => *destination = Fp8.ToE5M2(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadE5M2(source);
}
