using Silk.NET.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

/// <summary>Memory of an <see cref="OpenClLauncher"/>.</summary>
/// <param name="number">Of the launcher's pieces: drivers give handles away again, numbers are never the same.</param>
internal sealed class OpenClMemory(CL cl, nint buffer, long number, long bytes) : DeviceMemory(bytes)
{
    public nint Buffer => buffer;

    public long Number => number;

    public override void Dispose() => _ = cl.ReleaseMemObject(buffer);
}
