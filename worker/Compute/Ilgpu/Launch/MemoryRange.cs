namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>Bytes of device memory.</summary>
internal readonly record struct MemoryRange(DeviceMemory Memory, long Offset, long Bytes)
{
    /// <summary>A part of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does not lie within.</exception>
    public MemoryRange Slice(long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, Bytes);
        return new MemoryRange(Memory, Offset + offset, bytes);
    }
}
