using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Matrix instructions of a wave. The body has the hardware's layout of operands, so that a kernel that is right where it is
/// interpreted is right on a device; on AMD's CDNA a call is one instruction.</summary>
/// <remarks>All threads of the group must arrive: the body hands operands over through shared memory.</remarks>
internal static class MatrixCore
{
    /// <summary>Rows and columns of a tile.</summary>
    public const int Tile = 16;

    /// <summary>Products that <see cref="MultiplyAdd"/> adds to each element.</summary>
    public const int Depth = 4;

    /// <summary>Lanes that have the same row or column of an operand.</summary>
    private const int Sharers = Wave.Lanes / Tile;

    /// <summary>D = A·B + C with A <c>[16, 4]</c>, B <c>[4, 16]</c>, all in fp32 (v_mfma_f32_16x16x4_f32).</summary>
    /// <param name="a">Lane l has A[l % 16, l / 16].</param>
    /// <param name="b">Lane l has B[l / 16, l % 16].</param>
    /// <param name="c">Lane l has rows 4·(l / 16) to 4·(l / 16) + 3 of column l % 16; the result likewise.</param>
    [IntrinsicImplementation]
    public static Float4 MultiplyAdd(float a, float b, Float4 c) => PortableMultiplyAdd(a, b, c);

    /// <summary><see cref="MultiplyAdd"/> through shared memory.</summary>
    public static Float4 PortableMultiplyAdd(float a, float b, Float4 c)
    {
        var left = SharedMemory.Allocate<float>(Wave.Lanes * Wave.MaxWaves);
        var right = SharedMemory.Allocate<float>(Wave.Lanes * Wave.MaxWaves);
        var first = Group.IdxY * Wave.Lanes;
        var lane = Group.IdxX;
        left[first + lane] = a;
        right[first + lane] = b;
        Group.Barrier();
        var row = first + 4 * (lane / Tile);
        var column = first + lane % Tile;
        for (var k = 0; k < Depth; k++)
        {
            var factor = right[column + k * Tile];
            c.X = Native.Fma(left[row + k * Tile], factor, c.X);
            c.Y = Native.Fma(left[row + 1 + k * Tile], factor, c.Y);
            c.Z = Native.Fma(left[row + 2 + k * Tile], factor, c.Z);
            c.W = Native.Fma(left[row + 3 + k * Tile], factor, c.W);
        }

        Group.Barrier();
        return c;
    }

    /// <summary>D = A·B + C with A <c>[16, 16]</c>, B <c>[16, 16]</c> in bf16, C in fp32 (v_mfma_f32_16x16x16_bf16).</summary>
    /// <param name="a0">Lane l has A[l % 16, 4·(l / 16)] and the next, the first in the lower half.</param>
    /// <param name="a1">The two after those.</param>
    /// <param name="b0">Lane l has B[4·(l / 16), l % 16] and the next.</param>
    /// <param name="b1">The two after those.</param>
    /// <param name="c">As in <see cref="MultiplyAdd"/>.</param>
    [IntrinsicImplementation]
    public static Float4 MultiplyAddBF16(uint a0, uint a1, uint b0, uint b1, Float4 c) => PortableMultiplyAddBF16(a0, a1, b0, b1, c);

    /// <summary>The same in fp16 (v_mfma_f32_16x16x16_f16).</summary>
    [IntrinsicImplementation]
    public static Float4 MultiplyAddF16(uint a0, uint a1, uint b0, uint b1, Float4 c) => PortableMultiplyAddF16(a0, a1, b0, b1, c);

    /// <summary><see cref="MultiplyAddBF16"/> through shared memory.</summary>
    public static Float4 PortableMultiplyAddBF16(uint a0, uint a1, uint b0, uint b1, Float4 c) =>
        MultiplyAddQuads(
            Quad(Native.FromBF16(a0), Native.FromBF16(a0 >> 16), Native.FromBF16(a1), Native.FromBF16(a1 >> 16)),
            Quad(Native.FromBF16(b0), Native.FromBF16(b0 >> 16), Native.FromBF16(b1), Native.FromBF16(b1 >> 16)), c);

    /// <summary><see cref="MultiplyAddF16"/> through shared memory.</summary>
    public static Float4 PortableMultiplyAddF16(uint a0, uint a1, uint b0, uint b1, Float4 c) =>
        MultiplyAddQuads(
            Quad(Native.FromF16(a0), Native.FromF16(a0 >> 16), Native.FromF16(a1), Native.FromF16(a1 >> 16)),
            Quad(Native.FromF16(b0), Native.FromF16(b0 >> 16), Native.FromF16(b1), Native.FromF16(b1 >> 16)), c);

    /// <param name="a">A lane's four of the left operand.</param>
    /// <param name="b">Of the right.</param>
    private static Float4 MultiplyAddQuads(Float4 a, Float4 b, Float4 c)
    {
        var left = SharedMemory.Allocate<Float4>(Wave.Lanes * Wave.MaxWaves);
        var right = SharedMemory.Allocate<Float4>(Wave.Lanes * Wave.MaxWaves);
        var first = Group.IdxY * Wave.Lanes;
        var lane = Group.IdxX;
        left[first + lane] = a;
        right[first + lane] = b;
        Group.Barrier();
        var row = first + 4 * (lane / Tile);
        var column = first + lane % Tile;
        for (var sharer = 0; sharer < Sharers; sharer++)
        {
            var factors = right[column + sharer * Tile];
            c.X = Dot(left[row + sharer * Tile], factors, c.X);
            c.Y = Dot(left[row + 1 + sharer * Tile], factors, c.Y);
            c.Z = Dot(left[row + 2 + sharer * Tile], factors, c.Z);
            c.W = Dot(left[row + 3 + sharer * Tile], factors, c.W);
        }

        Group.Barrier();
        return c;
    }

    private static Float4 Quad(float x, float y, float z, float w)
    {
        Float4 values;
        values.X = x;
        values.Y = y;
        values.Z = z;
        values.W = w;
        return values;
    }

    /// <summary>Four products, added one after another.</summary>
    public static float Dot(Float4 a, Float4 b, float sum)
    {
        sum = Native.Fma(a.X, b.X, sum);
        sum = Native.Fma(a.Y, b.Y, sum);
        sum = Native.Fma(a.Z, b.Z, sum);
        return Native.Fma(a.W, b.W, sum);
    }
}
