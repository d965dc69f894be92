using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>A non-linearity.</summary>
internal readonly struct Activated<TActivation> : IElementFunction
    where TActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => TActivation.Apply<V, TSimd>(x);
}

/// <summary>x · factor.</summary>
internal readonly struct Scaled(float factor) : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.Multiply(x, TSimd.Create(factor));
}

/// <summary>cap · tanh(x / cap).</summary>
internal readonly struct SoftCapped(float cap) : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V> =>
        TSimd.Multiply(TSimd.Create(cap), VectorMath<V, TSimd>.Tanh(TSimd.Divide(x, TSimd.Create(cap))));
}
