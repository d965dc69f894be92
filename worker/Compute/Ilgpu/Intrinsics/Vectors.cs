using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Sixteen bytes: the unit of every wide access. <see cref="Compile.ClSource"/> gives structs of four 32-bit fields 16-byte
/// alignment in OpenCL C, so that a copy is one load.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UInt4
{
    public uint X;
    public uint Y;
    public uint Z;
    public uint W;
}

/// <summary>Four floats, moved together.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Float4
{
    public float X;
    public float Y;
    public float Z;
    public float W;
}
