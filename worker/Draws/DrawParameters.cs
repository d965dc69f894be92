using System.Runtime.InteropServices;

namespace Cluster.Worker.Draws;

/// <summary>How a device chooses one token: what a kernel reads, in 32-bit fields.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DrawParameters
{
    /// <summary>Which row of the step's logits.</summary>
    public int Row;

    /// <summary>Which adjusted row to choose from instead; -1 for the plain one.</summary>
    public int Slot;

    /// <summary>0 takes the largest logit.</summary>
    public float Temperature;

    /// <summary>1 / <see cref="Temperature"/>, rounded to nearest.</summary>
    public float Reciprocal;

    /// <summary>Weight below which a token is dropped.</summary>
    public float MinP;

    /// <summary>Likeliest tokens to keep; 0 keeps all.</summary>
    public int TopK;

    /// <summary>Share of the mass to keep, see <see cref="TokenMass.ShareOf"/>; 0 keeps all.</summary>
    public uint Share;

    /// <summary>Upper 21 of 53 random bits.</summary>
    public uint RandomHigh;

    /// <summary>Lower 32 of them.</summary>
    public uint RandomLow;

    /// <summary>Rank of the unlikeliest logit that is kept; the device fills it in.</summary>
    public uint CutRank;

    /// <summary>Last token of that logit that is kept; the device fills it in.</summary>
    public int CutToken;

    // 64 bytes: device memory begins at multiples of 256, and views of it are counted in elements.
    public int Padding0;
    public int Padding1;
    public int Padding2;
    public int Padding3;
    public int Padding4;
}
