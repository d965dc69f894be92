using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Codes that are multiplied as they are, scaled after a segment's sum: see <see cref="SegmentKernels{V, TSimd, TCodes}"/>, which
/// is compiled once for each kind.</summary>
/// <remarks>A word is multiplied in <see cref="Steps"/>. Codes that are integers are multiplied as such, two of a word in one step, by
/// inputs that were rounded to 16 bits (<see cref="RoundedSegmentInputs{TCodes}"/>): the code at place s together with that at place
/// s + <see cref="Steps"/>.</remarks>
internal unsafe interface ISegmentCodes
{
    /// <summary>Codes in a word: 4 or 8.</summary>
    static abstract int PerWord { get; }

    /// <summary>Whether codes are integers, of at most 8 bits and a sign.</summary>
    static abstract bool AreIntegers { get; }

    /// <summary>Whether something is added to what every code stands for.</summary>
    static abstract bool HasOffsets { get; }

    /// <summary>What every code that is an integer is too large by.</summary>
    static virtual int Middle => 0;

    /// <summary>What inputs of codes that are no integers are multiplied with, a power of two.</summary>
    static virtual float Factor => 1;

    /// <summary>Bits that codes of 4 bits a place have beyond those, in words of their own (<see cref="SuperblockPacker"/>): 0, 1 or
    /// 2.</summary>
    static virtual int HighBits => 0;

    /// <summary>Multiplications that a word takes: 2 or 4.</summary>
    static abstract int Steps { get; }

    /// <summary>What <see cref="Weights"/> takes for the first or the second half of the steps.</summary>
    static virtual V Half<V, TSimd>(V words, int half)
        where V : unmanaged
        where TSimd : ISimd<V> => words;

    /// <summary>The codes of a step of each word: one as a float, or two as numbers of 16 bits.</summary>
    /// <param name="half">A half of the words.</param>
    /// <param name="step">A constant: each step is a way of its own to take bits out.</param>
    static abstract V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>A group of the outputs of a panel: what the sums of its segments are multiplied with, and what is added for the sums of its
    /// inputs.</summary>
    /// <param name="table">The panel's.</param>
    static abstract void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
