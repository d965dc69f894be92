using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Matrix instructions of a warp: 32 neighbouring lanes, of which a <see cref="Wave"/> has two. The body has the hardware's layout
/// of operands, so that a kernel that is right where it is interpreted is right on a device; on NVIDIA's GPUs from sm_80 on a call is one
/// instruction.</summary>
/// <remarks>All threads of the group must arrive, but see <see cref="NeedsGroup"/>: the body hands operands over through shared
/// memory.</remarks>
internal static class WarpMatrix
{
    public const int Lanes = 32;

    /// <summary>Warps of a wave.</summary>
    public const int OfWave = Wave.Lanes / Lanes;

    /// <summary>Most warps of a group.</summary>
    public const int MaxWarps = Wave.MaxWaves * OfWave;

    /// <summary>Rows of A and of D: outputs of a layer.</summary>
    public const int Outputs = 16;

    /// <summary>Columns of B and of D: rows of inputs.</summary>
    public const int Rows = 8;

    /// <summary>Lanes that share a row of A and a column of B.</summary>
    public const int Quad = 4;

    // Masks and shifts, because NVIDIA's assembler divides by any other constant through its reciprocal.

    /// <summary>This thread's place in its warp.</summary>
    public static int Lane => Group.IdxX & (Lanes - 1);

    /// <summary>Lane / <see cref="Quad"/>: the row of A, and column of B, that this thread shares with its neighbours.</summary>
    public static int Line => Lane >> 2;

    /// <summary>Lane % <see cref="Quad"/>: which of those that share it.</summary>
    public static int Sharer => Group.IdxX & (Quad - 1);

    /// <summary>This thread's warp in the group.</summary>
    public static int Warp => Group.IdxY * OfWave + (Group.IdxX >> 5);

    /// <summary>D = A·B + C with A <c>[16, 16]</c>, B <c>[16, 8]</c> in bf16, C in fp32 (mma.m16n8k16). With g = lane / 4 and q = lane % 4,
    /// a word has k = 2q and the next, the first in the lower half, or those 8 further.</summary>
    /// <param name="a0">A[g, 2q] and the next.</param>
    /// <param name="a1">A[g + 8, 2q] and the next.</param>
    /// <param name="a2">A[g, 2q + 8] and the next.</param>
    /// <param name="a3">A[g + 8, 2q + 8] and the next.</param>
    /// <param name="b0">B[2q, g] and the next.</param>
    /// <param name="b1">B[2q + 8, g] and the next.</param>
    /// <param name="c">Columns 2q and 2q + 1 of row g, then those of row g + 8; the result likewise.</param>
    [IntrinsicImplementation]
    public static Float4 MultiplyAddBF16(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        PortableMultiplyAddBF16(a0, a1, a2, a3, b0, b1, c);

    /// <summary>The same in fp16.</summary>
    [IntrinsicImplementation]
    public static Float4 MultiplyAddF16(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        PortableMultiplyAddF16(a0, a1, a2, a3, b0, b1, c);

    /// <summary><see cref="MultiplyAddBF16"/> through shared memory.</summary>
    public static Float4 PortableMultiplyAddBF16(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        MultiplyAddQuads(BF16s(a0, a2), BF16s(a1, a3), BF16s(b0, b1), c);

    /// <summary><see cref="MultiplyAddF16"/> through shared memory.</summary>
    public static Float4 PortableMultiplyAddF16(uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, Float4 c) =>
        MultiplyAddQuads(F16s(a0, a2), F16s(a1, a3), F16s(b0, b1), c);

    /// <summary>The value of the lane whose number differs in a bit (shfl.sync.bfly).</summary>
    /// <param name="bit">1 or 2, a constant: a lane of the same four.</param>
    [IntrinsicImplementation]
    public static float Exchange(float value, int bit) => PortableExchange(value, bit);

    /// <summary><see cref="Exchange"/> through shared memory.</summary>
    public static float PortableExchange(float value, int bit)
    {
        var shared = SharedMemory.Allocate<float>(Lanes * MaxWarps);
        var first = Warp * Lanes;
        shared[first + Lane] = value;
        Group.Barrier();
        value = shared[first + (Lane ^ bit)];
        Group.Barrier();
        return value;
    }

    /// <summary>The largest value of the four lanes that share a row of D, in each of them.</summary>
    public static float MaxOfQuad(float value)
    {
        value = Native.Max(value, Exchange(value, 1));
        return Native.Max(value, Exchange(value, 2));
    }

    /// <summary>The sum of those lanes: of the first two, and of the others.</summary>
    public static float SumOfQuad(float value)
    {
        value += Exchange(value, 1);
        return value + Exchange(value, 2);
    }

    /// <summary>1 where all threads of the group must arrive, because the bodies run; 0 where those of a warp are enough.</summary>
    [IntrinsicImplementation]
    public static int NeedsGroup() => PortableNeedsGroup();

    /// <summary><see cref="NeedsGroup"/> of the bodies.</summary>
    public static int PortableNeedsGroup() => 1;

    /// <param name="upper">A lane's four of row g.</param>
    /// <param name="lower">Of row g + 8.</param>
    /// <param name="b">Of column g.</param>
    private static Float4 MultiplyAddQuads(Float4 upper, Float4 lower, Float4 b, Float4 c)
    {
        var left = SharedMemory.Allocate<Float4>(2 * Lanes * MaxWarps);
        var right = SharedMemory.Allocate<Float4>(Lanes * MaxWarps);
        var first = Warp * Lanes;
        var lane = Lane;
        left[2 * first + lane] = upper;
        left[2 * first + Lanes + lane] = lower;
        right[first + lane] = b;
        Group.Barrier();
        var row = 2 * first + Line * Quad;
        var column = first + Sharer * 2 * Quad;
        for (var sharer = 0; sharer < Quad; sharer++)
        {
            var factors = right[column + sharer];
            var nextFactors = right[column + Quad + sharer];
            c.X = MatrixCore.Dot(left[row + sharer], factors, c.X);
            c.Y = MatrixCore.Dot(left[row + sharer], nextFactors, c.Y);
            c.Z = MatrixCore.Dot(left[row + Lanes + sharer], factors, c.Z);
            c.W = MatrixCore.Dot(left[row + Lanes + sharer], nextFactors, c.W);
        }

        Group.Barrier();
        return c;
    }

    private static Float4 BF16s(uint low, uint high)
    {
        Float4 values;
        values.X = Native.FromBF16(low);
        values.Y = Interop.IntAsFloat(low & 0xffff0000u);
        values.Z = Native.FromBF16(high);
        values.W = Interop.IntAsFloat(high & 0xffff0000u);
        return values;
    }

    private static Float4 F16s(uint low, uint high)
    {
        Float4 values;
        values.X = Native.FromF16(low & 0xffffu);
        values.Y = Native.FromF16(low >> 16);
        values.Z = Native.FromF16(high & 0xffffu);
        values.W = Native.FromF16(high >> 16);
        return values;
    }
}
