using System.Runtime.InteropServices;

namespace Cluster.Worker.Draws;

/// <summary>A change to one logit of an adjusted row: what a kernel reads.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LogitAdjustment
{
    public int Slot;

    public int Token;

    public float Value;

    // 16 bytes: device memory begins at multiples of 256, and views of it are counted in elements.
    public int Padding0;
}
