using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A function of one number.</summary>
internal interface IFunction
{
    float Apply(float x, float parameter);
}

/// <summary>x · σ(x).</summary>
internal readonly struct SiluFunction : IFunction
{
    public float Apply(float x, float parameter) => x * Native.Sigmoid(x);
}

/// <summary>x · Φ(x).</summary>
internal readonly struct GeluFunction : IFunction
{
    public float Apply(float x, float parameter) => x * Native.NormalCdf(x);
}

/// <summary>½x · (1 + tanh(√(2/π)·(x + 0.044715·x³))), which is x · σ of twice the argument of tanh.</summary>
internal readonly struct GeluTanhFunction : IFunction
{
    public float Apply(float x, float parameter) =>
        x * Native.Sigmoid(x * Native.Fma(x * x, 2 * 0.7978845608f * 0.044715f, 2 * 0.7978845608f));
}

/// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
internal readonly struct SigmoidFunction : IFunction
{
    public float Apply(float x, float parameter) => Native.Sigmoid(x);
}

/// <summary>max(x, 0).</summary>
internal readonly struct ReluFunction : IFunction
{
    public float Apply(float x, float parameter) => Native.Max(x, 0f);
}

/// <summary>max(x, 0)².</summary>
internal readonly struct Relu2Function : IFunction
{
    public float Apply(float x, float parameter) => Native.Max(x, 0f) * Native.Max(x, 0f);
}

/// <summary>x · factor.</summary>
internal readonly struct ScaleFunction : IFunction
{
    public float Apply(float x, float parameter) => x * parameter;
}

/// <summary>cap · tanh(x / cap).</summary>
internal readonly struct SoftCapFunction : IFunction
{
    public float Apply(float x, float parameter) => parameter * Native.Tanh(x / parameter);
}

/// <summary>Kernels that look at each element alone. Groups of one wave; grid (<see cref="OfGroup"/> elements each).</summary>
internal static class Elementwise
{
    /// <summary>Elements of a group.</summary>
    public const int OfGroup = 4 * Wave.Lanes;

    /// <summary>x = f(x).</summary>
    public static void Apply<TFunction>(ArrayView<float> x, int count, float parameter)
        where TFunction : struct, IFunction
    {
        var first = (long)Grid.IdxX * OfGroup;
        for (var i = Group.IdxX; i < OfGroup && first + i < count; i += Wave.Lanes)
        {
            x[first + i] = default(TFunction).Apply(x[first + i], parameter);
        }
    }

    /// <summary>x = αₚ·x² + β·x where x is positive, else αₙ·(e^min(x, ε) − 1 − x) + β·x. Near 0, where e^x − 1 − x would cancel, it is a
    /// series.</summary>
    public static void Xielu(ArrayView<float> x, int count, float alphaPositive, float alphaNegative, float beta, float epsilon)
    {
        var first = (long)Grid.IdxX * OfGroup;
        for (var i = Group.IdxX; i < OfGroup && first + i < count; i += Wave.Lanes)
        {
            var value = x[first + i];
            var capped = value < epsilon ? value : epsilon;
            var series = 1f / 40320f;
            series = Native.Fma(series, capped, 1f / 5040f);
            series = Native.Fma(series, capped, 1f / 720f);
            series = Native.Fma(series, capped, 1f / 120f);
            series = Native.Fma(series, capped, 1f / 24f);
            series = Native.Fma(series, capped, 1f / 6f);
            series = Native.Fma(series, capped, 0.5f);
            var exponential = capped > -0.5f ? series * (capped * capped) : Native.Exp(capped) - 1f - capped;
            var curve = value > 0f ? alphaPositive * (value * value) : alphaNegative * (exponential + (capped - value));
            x[first + i] = Native.Fma(beta, value, curve);
        }
    }

    /// <summary>sum += x.</summary>
    public static void Add(ArrayView<float> sum, ArrayView<float> x, int count)
    {
        var first = (long)Grid.IdxX * OfGroup;
        for (var i = Group.IdxX; i < OfGroup && first + i < count; i += Wave.Lanes)
        {
            sum[first + i] += x[first + i];
        }
    }

    /// <summary>output[t, i] = f(gateUp[t, i]) · gateUp[t, i + columns]. Grid (pieces of a row, rows).</summary>
    public static void Gate<TFunction>(ArrayView<float> gateUp, ArrayView<float> output, int columns)
        where TFunction : struct, IFunction
    {
        var gate = (long)Grid.IdxY * 2 * columns;
        var last = Native.Min(columns, (Grid.IdxX + 1) * OfGroup);
        for (var i = Grid.IdxX * OfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            output[(long)Grid.IdxY * columns + i] = default(TFunction).Apply(gateUp[gate + i], 0f) * gateUp[gate + columns + i];
        }
    }

    /// <summary>output[t, i] = (up + 1) · gate · σ(1.702 · gate), where gate = gateUp[t, i] is no more than the limit and
    /// up = gateUp[t, i + columns] within ±limit. Grid (pieces of a row, rows).</summary>
    public static void ClampedGate(ArrayView<float> gateUp, ArrayView<float> output, int columns, float limit)
    {
        var row = (long)Grid.IdxY * 2 * columns;
        var last = Native.Min(columns, (Grid.IdxX + 1) * OfGroup);
        for (var i = Grid.IdxX * OfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            var gate = gateUp[row + i];
            var up = gateUp[row + columns + i];
            gate = gate > limit ? limit : gate;
            up = up > limit ? limit : up;
            up = up < -limit ? -limit : up;
            output[(long)Grid.IdxY * columns + i] = (up + 1f) * (gate * Native.Sigmoid(1.702f * gate));
        }
    }

    /// <summary>x[t] *= factors[t]. Grid (pieces of a row, rows).</summary>
    public static void ScaleRows(ArrayView<float> x, ArrayView<float> factors, int columns)
    {
        var last = Native.Min(columns, (Grid.IdxX + 1) * OfGroup);
        for (var i = Grid.IdxX * OfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            x[(long)Grid.IdxY * columns + i] *= factors[Grid.IdxY];
        }
    }

    /// <summary>output[t] = Σ_j weights[t, j] · x[t·chosen + j], j ascending. Grid (pieces of a row, rows).</summary>
    /// <param name="weighted">0: all weights are 1.</param>
    public static void SumExperts(
        ArrayView<float> x, ArrayView<float> weights, ArrayView<float> output, int columns, int chosen, int weighted)
    {
        var last = Native.Min(columns, (Grid.IdxX + 1) * OfGroup);
        for (var i = Grid.IdxX * OfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            var sum = 0f;
            for (var j = 0; j < chosen; j++)
            {
                var routed = (long)Grid.IdxY * chosen + j;
                sum = Native.Fma(weighted != 0 ? weights[routed] : 1f, x[routed * columns + i], sum);
            }

            output[(long)Grid.IdxY * columns + i] = sum;
        }
    }
}
