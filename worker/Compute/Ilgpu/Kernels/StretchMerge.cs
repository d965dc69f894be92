using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How <see cref="WarpAttention"/> merges what a row has mixed of a stretch with what it has mixed before, which lies in memory
/// times its sum. The arithmetic is that of <see cref="PartialSoftmax.Merge"/>.</summary>
internal readonly struct StretchMerge
{
    /// <summary>The softmax with the stretch.</summary>
    public readonly RunningSoftmax Total;

    private readonly float _factor;
    private readonly float _partFactor;
    private readonly long _at;
    private readonly int _elements;
    private readonly bool _isFirst;
    private readonly bool _isLast;
    private readonly float _valueScale;

    /// <param name="total">The softmax before the stretch.</param>
    /// <param name="at">Where the row's first element lies.</param>
    /// <param name="elements">Of the row; 0 for none.</param>
    /// <param name="isFirst">Nothing lies there yet.</param>
    /// <param name="isLast">The quotient is to lie there, times <paramref name="valueScale"/>.</param>
    public StretchMerge(
        RunningSoftmax total, RunningSoftmax part, long at, int elements, bool isFirst, bool isLast, float valueScale)
    {
        // A row that sees nothing of the stretch stays as it is.
        var sees = part.Max > PartialSoftmax.Nothing;
        Total.Max = Native.Max(total.Max, part.Max);
        _factor = sees ? Native.Exp(total.Max - Total.Max) : 1f;
        _partFactor = sees ? Native.Exp(part.Max - Total.Max) : 0f;
        Total.Sum = Native.Fma(total.Sum, _factor, part.Sum * _partFactor);
        _at = at;
        _elements = elements;
        _isFirst = isFirst;
        _isLast = isLast;
        _valueScale = valueScale;
    }

    /// <summary>Merges an element where there is one.</summary>
    public void Store(float part, int element, ArrayView<float> to)
    {
        if (element < _elements)
        {
            var at = _at + element;
            var merged = Native.Fma(_isFirst ? 0f : to[at], _factor, part * _partFactor);
            to[at] = _isLast ? merged / Total.Sum * _valueScale : merged;
        }
    }
}
