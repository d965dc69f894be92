namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>The vector operations kernels are written in, once for all widths. <typeparamref name="V"/> is the vector itself
/// (<c>Vector512&lt;float&gt;</c>, <c>Vector256&lt;float&gt;</c> or <c>float</c>), so the compiler keeps it in a register and inlines every
/// operation.</summary>
/// <remarks>Lane operations give the same bits at every width; sums over lanes do by <see cref="VirtualLanes{V, TSimd}"/>.</remarks>
internal unsafe partial interface ISimd<V>
    where V : unmanaged
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Lanes { get; }

    /// <summary>Most rows a matrix kernel may keep in registers: rows × 2 accumulators, 2 weights and 1 input must fit the register
    /// file.</summary>
    static abstract int MaxRows { get; }

    static abstract V Create(float value);

    static abstract V Load(float* source);

    static abstract void Store(V vector, float* destination);

    static abstract V Add(V a, V b);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    /// <summary>a · b + c, rounded once.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The smaller; <paramref name="b"/> when either is NaN.</summary>
    static abstract V Min(V a, V b);

    /// <summary>The larger; <paramref name="b"/> when either is NaN.</summary>
    static abstract V Max(V a, V b);

    static abstract V Abs(V a);

    /// <summary>Nearest integer, ties to even.</summary>
    static abstract V Round(V a);

    /// <summary>Where <paramref name="x"/> is negative <paramref name="negative"/>, else <paramref name="other"/>.</summary>
    static abstract V SelectNegative(V x, V negative, V other);

    /// <summary>2ⁿ for integral n in [-126, 127].</summary>
    static abstract V PowerOfTwo(V n);

    /// <summary>Sum of the lanes, folded by halves: see <see cref="VirtualLanes{V, TSimd}"/>.</summary>
    static abstract float Sum(V a);

    static abstract float Largest(V a);

    /// <summary>Lane i is the BF16 in the low half of word i.</summary>
    static abstract V LowBf16(uint* words);

    /// <summary>Lane i is the BF16 in the high half of word i.</summary>
    static abstract V HighBf16(uint* words);

    /// <summary>Lane i is the finite F16 in the low half of word i.</summary>
    static abstract V LowF16(uint* words);

    /// <summary>Lane i is the finite F16 in the high half of word i.</summary>
    static abstract V HighF16(uint* words);
}
