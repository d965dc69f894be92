using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>What turns a logit of a row into its share of the row's softmax. Used by <see cref="RoutedRows"/>.</summary>
/// <param name="Largest">Of the row.</param>
/// <param name="Sum">Of e to the distance from the largest.</param>
internal readonly record struct RowSoftmax(float Largest, float Sum)
{
    public static unsafe RowSoftmax Of(float* logits, int count)
    {
        var largest = float.NegativeInfinity;
        for (var i = 0; i < count; i++)
        {
            largest = MathF.Max(largest, logits[i]);
        }

        var sum = 0f;
        for (var i = 0; i < count; i++)
        {
            sum += VectorMath<float, SimdScalar>.Exp(logits[i] - largest);
        }

        return new RowSoftmax(largest, sum);
    }

    public float Share(float logit) => VectorMath<float, SimdScalar>.Exp(logit - Largest) / Sum;
}
