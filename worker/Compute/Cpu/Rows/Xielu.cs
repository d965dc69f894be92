using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>αₚ·x² + β·x where x is positive, else αₙ·(e^min(x, ε) - 1 - x) + β·x.</summary>
internal readonly struct Xielu(XieluScalars scalars) : IElementFunction
{
    /// <summary>Above this magnitude eˣ - 1 - x is computed as it stands; below, where it would cancel, as a series.</summary>
    private const float Near = 0.5f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V, TSimd>(V x)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var capped = TSimd.Min(TSimd.Create(scalars.Epsilon), x);
        var far = TSimd.Subtract(TSimd.Subtract(VectorMath<V, TSimd>.Exp(capped), TSimd.Create(1)), capped);
        var series = TSimd.Create(1 / 40320f);
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(1 / 5040f));
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(1 / 720f));
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(1 / 120f));
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(1 / 24f));
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(1 / 6f));
        series = TSimd.MultiplyAdd(series, capped, TSimd.Create(0.5f));
        var near = TSimd.Multiply(series, TSimd.Multiply(capped, capped));
        var exponential = TSimd.SelectNegative(TSimd.Subtract(TSimd.Abs(capped), TSimd.Create(Near)), near, far);

        var slope = TSimd.Multiply(TSimd.Create(scalars.Beta), x);
        var negative = TSimd.MultiplyAdd(
            TSimd.Create(scalars.AlphaNegative), TSimd.Add(exponential, TSimd.Subtract(capped, x)), slope);
        var positive = TSimd.MultiplyAdd(TSimd.Create(scalars.AlphaPositive), TSimd.Multiply(x, x), slope);
        return TSimd.SelectNegative(TSimd.Subtract(TSimd.Create(0), x), positive, negative);
    }
}
