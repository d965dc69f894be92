namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>A piece of device memory, made by a launcher. Only that launcher can see inside.</summary>
internal abstract class DeviceMemory(long bytes) : IDisposable
{
    public long Bytes { get; } = bytes;

    public abstract void Dispose();
}
