using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Codes of superblocks, and the heads that scale them.</summary>
internal interface ISuperblockCodes
{
    /// <summary>What the codes of a quad have above their low four bits, in place.</summary>
    /// <param name="input">The quad's first.</param>
    Float4 High(ArrayView<uint> tables, long first, int output, int outputs, int input);

    /// <summary>Scale, and minimum in the place of the zero.</summary>
    /// <param name="place">See <see cref="SuperblockTables.Places"/>.</param>
    PieceScale Head(ArrayView<uint> tables, long first, int output, int outputs, int place);
}

internal readonly struct FourBitCodes : ISuperblockCodes
{
    public Float4 High(ArrayView<uint> tables, long first, int output, int outputs, int input) => default;

    public PieceScale Head(ArrayView<uint> tables, long first, int output, int outputs, int place) =>
        SuperblockHeads.WithMinima(tables, first, output, outputs, place);
}

internal readonly struct FiveBitCodes : ISuperblockCodes
{
    public Float4 High(ArrayView<uint> tables, long first, int output, int outputs, int input)
    {
        var word = tables[first + (long)(input / 32) * outputs + output] >> (input % 32);
        Float4 high;
        high.X = (int)(word & 1u) * 16;
        high.Y = (int)((word >> 1) & 1u) * 16;
        high.Z = (int)((word >> 2) & 1u) * 16;
        high.W = (int)((word >> 3) & 1u) * 16;
        return high;
    }

    public PieceScale Head(ArrayView<uint> tables, long first, int output, int outputs, int place) =>
        SuperblockHeads.WithMinima(tables, first, output, outputs, place);
}

internal readonly struct SixBitCodes : ISuperblockCodes
{
    public Float4 High(ArrayView<uint> tables, long first, int output, int outputs, int input)
    {
        var word = tables[first + (long)(input / 16) * outputs + output] >> (input % 16 * 2);
        Float4 high;
        high.X = (int)(word & 3u) * 16;
        high.Y = (int)((word >> 2) & 3u) * 16;
        high.Z = (int)((word >> 4) & 3u) * 16;
        high.W = (int)((word >> 6) & 3u) * 16;
        return high;
    }

    public PieceScale Head(ArrayView<uint> tables, long first, int output, int outputs, int place)
    {
        var at = first + (long)(place >> 4) * outputs + output;
        var group = place & 15;
        var code = (int)((tables[at + (long)(1 + group / 4) * outputs] >> (group % 4 * 8)) & 255u) - 128;
        PieceScale head;
        head.Scale = Native.FromF16(tables[at] & 0xffffu) * code;
        head.Zero = head.Scale * 32f;
        return head;
    }
}

internal static class SuperblockHeads
{
    /// <summary>The head of four and five bits.</summary>
    public static PieceScale WithMinima(ArrayView<uint> tables, long first, int output, int outputs, int place)
    {
        var at = first + (long)(place >> 4) * outputs + output;
        var group = place & 15;
        var both = tables[at];
        var high = tables[at + 3L * outputs] >> (2 * group);
        var scale = ((tables[at + outputs] >> (4 * group)) & 15u) + ((high & 3u) << 4);
        var minimum = ((tables[at + 2L * outputs] >> (4 * group)) & 15u) + (((high >> 16) & 3u) << 4);
        PieceScale head;
        head.Scale = Native.FromF16(both & 0xffffu) * (int)scale;
        head.Zero = Native.FromF16(both >> 16) * (int)minimum;
        return head;
    }
}

/// <summary>How many inputs of a quad share a head.</summary>
internal interface IHeadReach
{
    bool IsShared { get; }
}

internal readonly struct HeadsOfQuads : IHeadReach
{
    public bool IsShared => true;
}

/// <summary>A rank's part begins where no quad of a group does.</summary>
internal readonly struct HeadsOfInputs : IHeadReach
{
    public bool IsShared => false;
}

/// <summary>scale · code − minimum: <see cref="Quantized.SuperblockMatrix"/>. A piece has the low four bits of 32 codes; where the rest is,
/// <see cref="SuperblockTables"/> shows.</summary>
internal readonly struct SuperblockWeights<TCodes, THeads> : IWeightFormat
    where TCodes : struct, ISuperblockCodes
    where THeads : struct, IHeadReach
{
    public int Elements => 32;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int piece) => default;

    public Float4 Quad(
        UInt4 codes, int quad, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs,
        int piece)
    {
        var values = default(Nibbles).Quad(codes, quad);
        var input = piece * Elements + 4 * quad;
        var high = default(TCodes).High(tables, first, output, outputs, input);
        var head = default(TCodes).Head(tables, first, output, outputs, groups[input]);
        values.X = (values.X + high.X) * head.Scale - head.Zero;
        head = Next(head, tables, groups, first, output, outputs, input + 1);
        values.Y = (values.Y + high.Y) * head.Scale - head.Zero;
        head = Next(head, tables, groups, first, output, outputs, input + 2);
        values.Z = (values.Z + high.Z) * head.Scale - head.Zero;
        head = Next(head, tables, groups, first, output, outputs, input + 3);
        values.W = (values.W + high.W) * head.Scale - head.Zero;
        return values;
    }

    private static PieceScale Next(
        PieceScale head, ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int outputs, int input) =>
        default(THeads).IsShared ? head : default(TCodes).Head(tables, first, output, outputs, groups[input]);
}
