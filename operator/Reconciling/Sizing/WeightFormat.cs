namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>How linear layers are stored.</summary>
/// <param name="Name">For people.</param>
/// <param name="Bits">Of a weight; null for the model's own type.</param>
/// <param name="GroupSize">Consecutive inputs that share a scale; 1 where groups do not matter to splitting.</param>
/// <param name="GroupBytes">Bytes of scale and zero of such a group.</param>
internal sealed record WeightFormat(string Name, int? Bits, int GroupSize = 1, double GroupBytes = 0)
{
    public static WeightFormat Plain { get; } = new("unquantized", null);

    /// <summary>E4M3 with a scale for each tensor or output, which takes no room worth counting.</summary>
    public static WeightFormat Fp8 { get; } = new("FP8", 8);

    /// <summary>GPTQ and AWQ: a 16-bit scale and a zero of the weights' own width for each group.</summary>
    public static WeightFormat Grouped(string name, int bits, int groupSize) =>
        new($"{name}, {bits} bits", bits, groupSize, 2 + (bits / 8.0));

    /// <param name="elementBytes">Of a weight that is not quantized.</param>
    public double BytesPerWeight(int elementBytes) => Bits is { } bits ? (bits / 8.0) + (GroupBytes / GroupSize) : elementBytes;
}
