using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>x · σ(x).</summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Multiply(x, VectorMath<V, TSimd>.Sigmoid(x));
}

/// <summary>x · Φ(x).</summary>
internal readonly struct Gelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Multiply(x, VectorMath<V, TSimd>.NormalCdf(x));
}

/// <summary>½x · (1 + tanh(√(2/π)·(x + 0.044715·x³))), which is x · σ of twice the argument of tanh.</summary>
internal readonly struct GeluTanh : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var inner = TSimd.MultiplyAdd(TSimd.Multiply(x, x), TSimd.Create(2 * 0.7978845608f * 0.044715f), TSimd.Create(2 * 0.7978845608f));
        return TSimd.Multiply(x, VectorMath<V, TSimd>.Sigmoid(TSimd.Multiply(x, inner)));
    }
}

/// <summary>max(x, 0)².</summary>
internal readonly struct Relu2 : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var positive = TSimd.Max(TSimd.Create(0), x);
        return TSimd.Multiply(positive, positive);
    }
}

/// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
internal readonly struct Sigmoid : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => VectorMath<V, TSimd>.Sigmoid(x);
}

/// <summary>max(x, 0).</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Max(TSimd.Create(0), x);
}
