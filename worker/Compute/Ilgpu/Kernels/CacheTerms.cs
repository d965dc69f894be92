using Cluster.Worker.Compute.Ilgpu.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How eight neighbouring elements of a key or value become the 16-bit floats that <see cref="WarpAttention"/> multiplies: always
/// exactly, because their sum is what the cache has.</summary>
internal interface ICacheTerms
{
    /// <summary>16-bit floats of an element.</summary>
    int Count { get; }

    /// <summary>Elements of a piece: 4, 8 or 16.</summary>
    int Elements { get; }

    /// <param name="low">The piece that has the first of the eight.</param>
    /// <param name="high">Of pieces of four, the next.</param>
    /// <param name="octet">Which eight of the head.</param>
    InputTerms Split(UInt4 low, UInt4 high, int octet);
}

/// <summary>16-bit floats are there as they are.</summary>
internal readonly struct WholeTerms<TFormat> : ICacheTerms
    where TFormat : struct, ICacheFormat<ushort>
{
    public int Count => 1;

    public int Elements => default(TFormat).Elements;

    public InputTerms Split(UInt4 low, UInt4 high, int octet)
    {
        InputTerms all = default;
        all.A = low;
        return all;
    }
}

/// <summary>What is decoded first, and then split.</summary>
internal readonly struct DecodedTerms<TFormat, TElement, TTerms> : ICacheTerms
    where TFormat : struct, ICacheFormat<TElement>
    where TElement : unmanaged
    where TTerms : struct, ITerms
{
    public int Count => default(TTerms).Count;

    public int Elements => default(TFormat).Elements;

    public InputTerms Split(UInt4 low, UInt4 high, int octet)
    {
        var format = default(TFormat);
        if (format.Elements == 4)
        {
            return default(TTerms).Split(format.Quad(low, 0), format.Quad(high, 0));
        }

        var quad = format.Elements == 16 ? 2 * (octet & 1) : 0;
        return default(TTerms).Split(format.Quad(low, quad), format.Quad(low, quad + 1));
    }
}
