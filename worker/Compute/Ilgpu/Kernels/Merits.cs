using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>What <see cref="Experts.Route"/> compares a row's experts by.</summary>
/// <param name="scoring">An <see cref="ExpertScoring"/>.</param>
/// <param name="byLogits">1: the logits; 0: corrected scores.</param>
/// <param name="largest">Of the row, for the softmax.</param>
/// <param name="total">Of the softmax.</param>
internal readonly struct Merits(int scoring, int byLogits, int corrects, float largest, float total)
{
    private readonly int _scoring = scoring;
    private readonly int _byLogits = byLogits;
    private readonly int _corrects = corrects;
    private readonly float _largest = largest;
    private readonly float _total = total;

    /// <summary>NaN has none, so that every expert has its place in the order.</summary>
    public float Of(ArrayView<float> row, ArrayView<float> correction, int expert)
    {
        var merit = row[expert];
        if (_byLogits == 0)
        {
            merit = Score(merit) + (_corrects != 0 ? correction[expert] : 0f);
        }

        return Native.IsNaN(merit) ? float.NegativeInfinity : merit;
    }

    public float Score(float logit) =>
        _scoring == (int)ExpertScoring.Sigmoid ? Native.Sigmoid(logit) : Native.Exp(logit - _largest) / _total;
}
