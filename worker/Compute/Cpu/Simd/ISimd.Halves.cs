namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Reading a cache of 16-bit floats, and scales.</content>
internal unsafe partial interface ISimd<V>
{
    /// <summary>As many BF16 as there are lanes, at any alignment.</summary>
    static abstract V LoadBf16(byte* source);

    /// <summary>As many F16 as there are lanes, at any alignment; infinities and NaN stay what they are.</summary>
    static abstract V LoadF16(byte* source);

    /// <summary>As many finite F16 as there are lanes, at any alignment.</summary>
    static abstract V LoadFiniteF16(byte* source);

    /// <summary>As many BF16 as there are lanes, rounded to nearest, ties to even; NaN stays NaN.</summary>
    static abstract void StoreBf16(V vector, byte* destination);
}
