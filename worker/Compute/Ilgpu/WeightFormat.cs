using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>How a section's weights are coded; with the shape of the inputs it decides the kernel (<see cref="LinearKernels"/>).</summary>
/// <param name="Kind">Plain numbers or codes.</param>
/// <param name="DType">Of plain numbers; of codes, the type of scales or entries.</param>
/// <param name="Bits">Of a weight.</param>
/// <param name="IsScattered">Neighbouring inputs are in different groups.</param>
internal readonly record struct WeightFormat(WeightKind Kind, DType DType, int Bits, bool IsScattered = false)
{
    /// <summary>Weights in a piece of 16 bytes.</summary>
    public int Elements => Kind == WeightKind.Superblock ? SuperblockMatrix.PieceLength : 128 / Bits;

    public static WeightFormat Plain(DType dtype) => new(WeightKind.Plain, dtype, 8 * dtype.Size());

    public static WeightFormat Of(QuantizedMatrix matrix) => new(
        matrix.Kind switch
        {
            QuantizedKind.Fp8 => WeightKind.Fp8,
            QuantizedKind.BlockFp8 => WeightKind.BlockFp8,
            QuantizedKind.Grouped => WeightKind.Grouped,
            QuantizedKind.Lookup => WeightKind.Lookup,
            QuantizedKind.Superblock => WeightKind.Superblock,
            _ => WeightKind.Mxfp4,
        },
        matrix.TableDType,
        matrix.Bits,
        matrix.Groups > 0 && IsSpread(matrix));

    /// <summary>Whether inputs are in groups.</summary>
    public bool IsGrouped => Kind is WeightKind.Grouped or WeightKind.BlockFp8 or WeightKind.Mxfp4 or WeightKind.Superblock;

    /// <summary>The <see cref="IWeightFormat"/> that decodes it.</summary>
    public Type KernelType => Kind switch
    {
        WeightKind.Plain when DType == DType.F32 => typeof(F32Weights),
        WeightKind.Plain => typeof(HalfWeights<>).MakeGenericType(Half),
        WeightKind.Fp8 => typeof(Fp8Weights),
        WeightKind.Grouped => (IsScattered ? typeof(ScatteredWeights<,>) : typeof(GroupedWeights<,>)).MakeGenericType(
            Bits == 4 ? typeof(Nibbles) : typeof(WholeBytes),
            DType == DType.F32 ? typeof(F32Scales) : typeof(HalfScales<>).MakeGenericType(Half)),
        WeightKind.BlockFp8 => Scaled(typeof(E4M3Floats), typeof(BlockScales)),
        WeightKind.Mxfp4 => Scaled(typeof(E2M1Floats), typeof(ExponentScales)),
        WeightKind.Superblock => typeof(SuperblockWeights<,>).MakeGenericType(
            Bits == 4 ? typeof(FourBitCodes) : Bits == 5 ? typeof(FiveBitCodes) : typeof(SixBitCodes),
            IsScattered ? typeof(HeadsOfInputs) : typeof(HeadsOfQuads)),
        _ => typeof(LookupWeights<>).MakeGenericType(
            DType == DType.F32 ? typeof(F32Entries) : typeof(HalfEntries<>).MakeGenericType(Half)),
    };

    private Type Half => DType == DType.F16 ? typeof(F16Format) : typeof(BF16Format);

    private Type Scaled(Type codes, Type scales) =>
        (IsScattered ? typeof(ScatteredScaledWeights<,>) : typeof(ScaledWeights<,>)).MakeGenericType(codes, scales);

    private static bool IsSpread(QuantizedMatrix matrix)
    {
        // Heads of superblocks are read for each quad.
        var elements = matrix.Kind == QuantizedKind.Superblock ? 4 : 128 / matrix.Bits;
        for (var k = 0; k < matrix.InFeatures; k++)
        {
            if (matrix.GroupOf[k] != matrix.GroupOf[k / elements * elements])
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>What <see cref="WeightFormat"/> tells apart.</summary>
internal enum WeightKind
{
    Plain,
    Fp8,
    BlockFp8,
    Grouped,
    Lookup,
    Mxfp4,
    Superblock,
}
