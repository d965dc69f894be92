using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Codes that are small floats.</summary>
internal interface IFloatCodes
{
    /// <summary>Codes in a piece.</summary>
    int Elements { get; }

    /// <summary>What codes 4·quad to 4·quad + 3 stand for.</summary>
    Float4 Quad(UInt4 codes, int quad);
}

internal readonly struct E4M3Floats : IFloatCodes
{
    public int Elements => 16;

    public Float4 Quad(UInt4 codes, int quad) => PieceWords.E4M3(codes, quad);
}

internal readonly struct E2M1Floats : IFloatCodes
{
    public int Elements => 32;

    public Float4 Quad(UInt4 codes, int quad) => PieceWords.E2M1(codes, quad);
}

/// <summary>How the scales of groups are kept.</summary>
internal interface IGroupScales
{
    /// <param name="first">First word of the matrix' tables.</param>
    /// <param name="outputs">Outputs of the matrix, padded.</param>
    float Read(ArrayView<uint> tables, long first, int output, int outputs, int group);
}

/// <summary>A float for each block of outputs and group of inputs; first a word for each output that says where its block's
/// begin.</summary>
internal readonly struct BlockScales : IGroupScales
{
    public float Read(ArrayView<uint> tables, long first, int output, int outputs, int group) =>
        Interop.IntAsFloat(tables[first + tables[first + output] + group]);
}

/// <summary>A byte of exponent for each group and output, <c>[group][output]</c>: E8M0, of which none is NaN.</summary>
internal readonly struct ExponentScales : IGroupScales
{
    public float Read(ArrayView<uint> tables, long first, int output, int outputs, int group)
    {
        var word = tables[first + (long)group * (outputs / 4) + output / 4];
        var exponent = (word >> (output % 4 * 8)) & 255u;
        return Interop.IntAsFloat(exponent == 0u ? 1u << 22 : exponent << 23);
    }
}

/// <summary>value(code) · scale, all inputs of a piece in one group.</summary>
internal readonly struct ScaledWeights<TCodes, TScales> : IWeightFormat
    where TCodes : struct, IFloatCodes
    where TScales : struct, IGroupScales
{
    public int Elements => default(TCodes).Elements;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece)
    {
        PieceScale scale;
        scale.Scale = default(TScales).Read(tables, first, output, outputs, groups[piece * Elements]);
        scale.Zero = 0;
        return scale;
    }

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var weights = default(TCodes).Quad(codes, quad);
        weights.X *= scale.Scale;
        weights.Y *= scale.Scale;
        weights.Z *= scale.Scale;
        weights.W *= scale.Scale;
        return weights;
    }
}

/// <summary>value(code) · scale where a piece has inputs of several groups: a rank's part began in the middle of one.</summary>
internal readonly struct ScatteredScaledWeights<TCodes, TScales> : IWeightFormat
    where TCodes : struct, IFloatCodes
    where TScales : struct, IGroupScales
{
    public int Elements => default(TCodes).Elements;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var weights = default(TCodes).Quad(codes, quad);
        var input = piece * Elements + 4 * quad;
        weights.X *= default(TScales).Read(tables, first, output, outputs, groups[input]);
        weights.Y *= default(TScales).Read(tables, first, output, outputs, groups[input + 1]);
        weights.Z *= default(TScales).Read(tables, first, output, outputs, groups[input + 2]);
        weights.W *= default(TScales).Read(tables, first, output, outputs, groups[input + 3]);
        return weights;
    }
}
