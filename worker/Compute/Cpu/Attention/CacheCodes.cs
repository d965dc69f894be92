using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>How <see cref="KvLayer"/> stores one element. Encoding rounds to nearest, ties to even; decoding is exact.</summary>
internal unsafe interface ICacheCodes<TSelf>
    where TSelf : ICacheCodes<TSelf>
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Whether elements become floats in so few steps that kernels may do it again for every four queries. What takes more
    /// constants than registers are free is decoded in memory.</summary>
    static abstract bool IsCheap { get; }

    /// <summary>Stores a row, its elements side by side.</summary>
    /// <param name="scale">What FP8 elements are divided by first; others take no notice.</param>
    static abstract void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>As many elements as there are lanes.</summary>
    static abstract V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>As many elements from each address as there are lanes, in an order of their own. With 8 lanes
    /// <paramref name="second"/> lies behind <paramref name="first"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual void LoadPair<V, TSimd>(byte* first, byte* second, out V a, out V b)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        a = TSelf.Load<V, TSimd>(first);
        b = TSelf.Load<V, TSimd>(second);
    }

    /// <summary>Floats in the order of <see cref="LoadPair"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual void LoadSums<V, TSimd>(float* first, float* second, out V a, out V b)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        a = TSimd.Load(first);
        b = TSimd.Load(second);
    }

    /// <summary>Stores what is in the order of <see cref="LoadPair"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual void StoreSums<V, TSimd>(V a, V b, float* first, float* second)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        TSimd.Store(a, first);
        TSimd.Store(b, second);
    }
}

internal readonly unsafe struct F32Codes : ICacheCodes<F32Codes>
{
    public static int Size => sizeof(float);

    public static bool IsCheap => true;

    public static void StoreRow<V, TSimd>(float* row, float scale, int count, byte* destination)
        where V : unmanaged
        where TSimd : ISimd<V> => Buffer.MemoryCopy(row, destination, count * sizeof(float), count * sizeof(float));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V, TSimd>(byte* source)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Load((float*)source);
}

internal readonly unsafe struct Bf16Codes : ICacheCodes<Bf16Codes>
{
    public static int Size => sizeof(ushort);

    public static bool IsCheap => true;

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<V, TSimd>(byte* first, byte* second, out V a, out V b)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadBf16Pair(first, second, out a, out b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadSums<V, TSimd>(float* first, float* second, out V a, out V b)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.LoadPair(first, second, out a, out b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums<V, TSimd>(V a, V b, float* first, float* second)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.StorePair(a, b, first, second);
}

internal readonly unsafe struct F16Codes : ICacheCodes<F16Codes>
{
    public static int Size => sizeof(ushort);

    public static bool IsCheap => false;

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

internal readonly unsafe struct E4M3Codes : ICacheCodes<E4M3Codes>
{
    public static int Size => 1;

    public static bool IsCheap => false;

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

internal readonly unsafe struct E5M2Codes : ICacheCodes<E5M2Codes>
{
    public static int Size => 1;

    public static bool IsCheap => false;

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
