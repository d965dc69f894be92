using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>How <see cref="KvLayer"/> stores one element. Encoding rounds to nearest, ties to even; decoding is exact.</summary>
internal unsafe interface ICacheCodes
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Stores a row, its elements side by side.</summary>
    /// <param name="scale">What FP8 elements are divided by first; others take no notice.</param>
    static abstract void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>As many elements as there are lanes.</summary>
    static abstract V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V>;
}

internal readonly unsafe struct F32Codes : ICacheCodes
{
    public static int Size => sizeof(float);

    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V> => Buffer.MemoryCopy(row, destination, count * sizeof(float), count * sizeof(float));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)source);
}

internal readonly unsafe struct Bf16Codes : ICacheCodes
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var i = 0;
        for (; i <= count - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.StoreBf16(TSimd.Load(row + i), destination + i * sizeof(ushort));
        }

        for (; i < count; i++)
        {
            SimdScalar.StoreBf16(row[i], destination + i * sizeof(ushort));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadBf16(source);
}

internal readonly unsafe struct F16Codes : ICacheCodes
{
    public static int Size => sizeof(ushort);

    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        for (var i = 0; i < count; i++)
        {
            ((Half*)destination)[i] = (Half)row[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadF16(source);
}

internal readonly unsafe struct E4M3Codes : ICacheCodes
{
    public static int Size => 1;

    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        for (var i = 0; i < count; i++)
        {
            destination[i] = Fp8.ToE4M3(row[i] / scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadE4M3(source);
}

internal readonly unsafe struct E5M2Codes : ICacheCodes
{
    public static int Size => 1;

    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        for (var i = 0; i < count; i++)
        {
            destination[i] = Fp8.ToE5M2(row[i] / scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadE5M2(source);
}
