using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

/// <summary><c>CUDA_MEMCPY2D</c> of cuda.h: rows that stand apart.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CudaCopy2D
{
    /// <summary><c>CU_MEMORYTYPE_DEVICE</c>.</summary>
    public const int DeviceMemoryType = 2;

    public nuint SourceX;
    public nuint SourceY;
    public int SourceType;
    public nint SourceHost;
    public nint SourceDevice;
    public nint SourceArray;
    public nuint SourcePitch;
    public nuint DestinationX;
    public nuint DestinationY;
    public int DestinationType;
    public nint DestinationHost;
    public nint DestinationDevice;
    public nint DestinationArray;
    public nuint DestinationPitch;
    public nuint RowBytes;
    public nuint Rows;
}
