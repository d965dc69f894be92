using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>What <see cref="Sampling.Pick"/> writes for a draw, in 32-bit fields.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DrawOutcome
{
    public int Token;

    /// <summary>The largest of the logits chosen from; NaN if one is.</summary>
    public float Max;

    /// <summary>The token's plain logit.</summary>
    public float Logit;

    /// <summary>Mass of the tokens that were kept; 0 where the largest logit was taken.</summary>
    public uint MassLow;

    public uint MassHigh;

    // 32 bytes: device memory begins at multiples of 256, and views of it are counted in elements.
    public int Padding0;
    public int Padding1;
    public int Padding2;
}
