namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Two vectors of BF16 at a time, read by attention. Which of the two holds which element is the width's own affair: sums of their
/// lanes are loaded and stored in the same order.</summary>
internal unsafe partial interface ISimd<V>
{
    /// <summary>As many BF16 from each address as there are lanes. With 8 lanes <paramref name="second"/> lies behind
    /// <paramref name="first"/>, so that the two are one load.</summary>
    static abstract void LoadBf16Pair(byte* first, byte* second, out V a, out V b);

    /// <summary>Floats in the order of <see cref="LoadBf16Pair"/>.</summary>
    static abstract void LoadPair(float* first, float* second, out V a, out V b);

    /// <summary>Stores what is in the order of <see cref="LoadBf16Pair"/>.</summary>
    static abstract void StorePair(V a, V b, float* first, float* second);
}
