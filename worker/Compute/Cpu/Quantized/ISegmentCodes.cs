using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Codes that are multiplied as they are, scaled after a segment's sum: see <see cref="SegmentKernels{V, TSimd, TCodes}"/>, which
/// is compiled once for each kind.</summary>
/// <remarks>A code stays where it is in its word and so counts by a power of two too much; its input was multiplied by the inverse. Such
/// factors are exact, and cost nothing here.</remarks>
internal unsafe interface ISegmentCodes
{
    /// <summary>Codes in a word: 4 or 8.</summary>
    static abstract int PerWord { get; }

    /// <summary>Whether something is added to what every code stands for.</summary>
    static abstract bool HasOffsets { get; }

    /// <summary>What the input of a code is multiplied with.</summary>
    /// <param name="place">Of the code in its word.</param>
    static abstract float Factor(int place);

    /// <summary>What <see cref="Weights"/> takes for places up to 3, and from 4 on.</summary>
    static virtual V Half<V, TSimd>(V words, int half)
        where V : unmanaged
        where TSimd : ISimd<V> => words;

    /// <summary>The codes at a place of each word as floats.</summary>
    /// <param name="half">A half of the words.</param>
    /// <param name="place">A constant: each place is a way of its own to take bits out.</param>
    static abstract V Weights<V, TSimd>(V half, int place)
        where V : unmanaged
        where TSimd : ISimd<V>;

    /// <summary>A group of the outputs of a panel: what the sums of its segments are multiplied with, and what is added for the sums of its
    /// inputs.</summary>
    /// <param name="table">The panel's.</param>
    static abstract void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>;
}
