using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;
using Utilities = ILGPU.Util.Utilities;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Takes pieces of 16 bytes apart, whether they hold weights or keys and values.</summary>
internal static class PieceWords
{
    public static uint At(UInt4 piece, int index) => index == 0 ? piece.X : index == 1 ? piece.Y : index == 2 ? piece.Z : piece.W;

    /// <summary><see cref="At"/> without branches where the index is not known.</summary>
    public static uint Select(UInt4 piece, int index) => Utilities.Select(
        index < 2, Utilities.Select(index == 0, piece.X, piece.Y), Utilities.Select(index == 2, piece.Z, piece.W));

    /// <summary>The four floats of a piece.</summary>
    public static Float4 Floats(UInt4 piece)
    {
        Float4 values;
        values.X = Interop.IntAsFloat(piece.X);
        values.Y = Interop.IntAsFloat(piece.Y);
        values.Z = Interop.IntAsFloat(piece.Z);
        values.W = Interop.IntAsFloat(piece.W);
        return values;
    }

    /// <summary>16-bit floats 4·quad to 4·quad + 3 of a piece.</summary>
    public static Float4 Halves<TFormat>(UInt4 piece, int quad)
        where TFormat : struct, IHalfFormat
    {
        var low = quad == 0 ? piece.X : piece.Z;
        var high = quad == 0 ? piece.Y : piece.W;
        Float4 values;
        values.X = default(TFormat).Widen(low);
        values.Y = default(TFormat).Widen(low >> 16);
        values.Z = default(TFormat).Widen(high);
        values.W = default(TFormat).Widen(high >> 16);
        return values;
    }

    /// <summary>E4M3 codes 4·quad to 4·quad + 3 of a piece.</summary>
    public static Float4 E4M3(UInt4 piece, int quad)
    {
        var word = At(piece, quad);
        Float4 values;
        values.X = Native.FromE4M3(word & 0xffu);
        values.Y = Native.FromE4M3((word >> 8) & 0xffu);
        values.Z = Native.FromE4M3((word >> 16) & 0xffu);
        values.W = Native.FromE4M3(word >> 24);
        return values;
    }

    /// <summary>E2M1 codes 4·quad to 4·quad + 3 of a piece.</summary>
    public static Float4 E2M1(UInt4 piece, int quad)
    {
        var word = At(piece, quad >> 1) >> ((quad & 1) * 16);
        Float4 values;
        values.X = FromE2M1(word);
        values.Y = FromE2M1(word >> 4);
        values.Z = FromE2M1(word >> 8);
        values.W = FromE2M1(word >> 12);
        return values;
    }

    /// <summary>The code in the low four bits: 0 and 0.5 are counted in halves, the others have an exponent.</summary>
    private static float FromE2M1(uint word)
    {
        var magnitude = word & 7u;
        var value = magnitude < 2u ? (int)magnitude * 0.5f : Interop.IntAsFloat((magnitude << 22) + (126u << 23));
        return (word & 8u) == 0u ? value : -value;
    }
}
