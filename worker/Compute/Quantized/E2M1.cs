namespace Cluster.Worker.Compute.Quantized;

/// <summary>The 4-bit float of OCP's microscaling formats: a sign, two bits of exponent and one of mantissa.</summary>
internal static class E2M1
{
    /// <summary>What each code stands for.</summary>
    public static ReadOnlySpan<float> Values => [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];
}
