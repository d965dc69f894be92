namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>How a matrix of weights is stored.</summary>
/// <param name="Name">For people.</param>
/// <param name="Bits">Of a weight; null for the model's own type.</param>
internal sealed record WeightFormat(string Name, double? Bits)
{
    /// <summary>What a scale takes that is a 16-bit or a 32-bit float.</summary>
    public const int HalfScale = 2;

    public const int FullScale = 4;

    public static WeightFormat Plain { get; } = new("unquantized", null);

    /// <summary>E4M3 with a scale for each tensor, which takes no room worth counting.</summary>
    public static WeightFormat Fp8 { get; } = new("FP8", 8);

    /// <summary>The same with a scale for each output.</summary>
    public static WeightFormat Fp8Outputs { get; } = new("FP8", 8) { OutputBytes = FullScale };

    /// <summary>Signed bytes with a 16-bit scale and zero for each output.</summary>
    public static WeightFormat Int8Outputs { get; } = new("int8", 8) { OutputBytes = 2 * HalfScale };

    /// <summary>Experts of gpt-oss: E2M1 in blocks of 32 that share an exponent.</summary>
    public static WeightFormat Mxfp4 { get; } = new("MXFP4", 4) { GroupSize = 32, GroupBytes = 1 };

    /// <summary>Consecutive inputs of an output that share a scale.</summary>
    public int GroupSize { get; init; } = 1;

    /// <summary>Consecutive outputs that share it as well: more than 1 where weights have scales in blocks.</summary>
    public int GroupOutputs { get; init; } = 1;

    /// <summary>Inputs that stay together when a matrix is cut. In most formats a cut may go through a group, whose scale is then on both
    /// sides.</summary>
    public int CutUnit { get; init; } = 1;

    /// <summary>Bytes of scale and zero of a group.</summary>
    public double GroupBytes { get; init; }

    /// <summary>Bytes that each output has beside its weights: a scale, or a table of values.</summary>
    public int OutputBytes { get; init; }

    /// <summary>Bytes that each input has: GPTQ's list of groups.</summary>
    public int InputBytes { get; init; }

    /// <summary>GPTQ and AWQ: a 16-bit scale for each group, and a zero of the weights' own width.</summary>
    public static WeightFormat Grouped(string name, int bits, int groupSize) => new($"{name}, {bits} bits", bits)
    {
        GroupSize = groupSize,
        GroupBytes = HalfScale + (bits / 8.0),
        CutUnit = groupSize,
    };

    /// <param name="elementBytes">Of a weight that is not quantized.</param>
    public double BytesOf(long outputs, long inputs, int elementBytes) => Bits is { } bits
        ? (outputs * (inputs * bits / 8)) + (Groups(outputs, GroupOutputs) * Groups(inputs, GroupSize) * GroupBytes)
            + (outputs * OutputBytes) + (inputs * InputBytes)
        : outputs * (double)inputs * elementBytes;

    private static double Groups(long features, int size) => Math.Ceiling((double)features / size);
}
