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

    /// <summary>Products that an instruction adds to each element.</summary>
    public const int Depth = 4;

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
}
