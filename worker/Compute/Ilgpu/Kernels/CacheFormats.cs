using Cluster.Worker.Compute.Ilgpu.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How keys and values are kept in the cache: elements of <typeparamref name="TElement"/>, in pieces of 16 bytes.</summary>
internal interface ICacheFormat<TElement>
    where TElement : unmanaged
{
    /// <summary>Elements of a piece.</summary>
    int Elements { get; }

    TElement Encode(float value);

    /// <summary>Elements 4·quad to 4·quad + 3 of a piece.</summary>
    Float4 Quad(UInt4 piece, int quad);
}

internal readonly struct F32Cache : ICacheFormat<float>
{
    public int Elements => 4;

    public float Encode(float value) => value;

    public Float4 Quad(UInt4 piece, int quad) => PieceWords.Floats(piece);
}

internal readonly struct BF16Cache : ICacheFormat<ushort>
{
    public int Elements => 8;

    public ushort Encode(float value) => (ushort)Native.ToBF16(value);

    public Float4 Quad(UInt4 piece, int quad) => PieceWords.Halves<BF16Format>(piece, quad);
}

internal readonly struct F16Cache : ICacheFormat<ushort>
{
    public int Elements => 8;

    public ushort Encode(float value) => (ushort)Native.ToF16(value);

    public Float4 Quad(UInt4 piece, int quad) => PieceWords.Halves<F16Format>(piece, quad);
}

internal readonly struct E4M3Cache : ICacheFormat<byte>
{
    public int Elements => 16;

    public byte Encode(float value) => (byte)Native.ToE4M3(value);

    public Float4 Quad(UInt4 piece, int quad) => PieceWords.E4M3(piece, quad);
}

internal readonly struct E5M2Cache : ICacheFormat<byte>
{
    public int Elements => 16;

    public byte Encode(float value) => (byte)Native.ToE5M2(value);

    public Float4 Quad(UInt4 piece, int quad)
    {
        var word = PieceWords.At(piece, quad);
        Float4 values;
        values.X = Native.FromE5M2(word & 0xffu);
        values.Y = Native.FromE5M2((word >> 8) & 0xffu);
        values.Z = Native.FromE5M2((word >> 16) & 0xffu);
        values.W = Native.FromE5M2(word >> 24);
        return values;
    }
}
