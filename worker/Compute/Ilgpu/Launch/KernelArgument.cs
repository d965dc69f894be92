namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>One argument of a launch: a view of device memory, or a number. A value, so that launching allocates nothing.</summary>
internal readonly struct KernelArgument
{
    private KernelArgument(DeviceMemory? memory, long offset, long bytes, uint bits)
    {
        Memory = memory;
        Offset = offset;
        Bytes = bytes;
        Bits = bits;
    }

    /// <summary>Null for a number.</summary>
    public DeviceMemory? Memory { get; }

    /// <summary>First byte of a view.</summary>
    public long Offset { get; }

    /// <summary>Length of a view.</summary>
    public long Bytes { get; }

    /// <summary>A number's bits: an integer or a float.</summary>
    public uint Bits { get; }

    public static implicit operator KernelArgument(int value) => new(null, 0, 0, (uint)value);

    public static implicit operator KernelArgument(float value) => new(null, 0, 0, BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(bool value) => value ? 1 : 0;

    public static implicit operator KernelArgument(MemoryRange range) => new(range.Memory, range.Offset, range.Bytes, 0);

    public static implicit operator KernelArgument(Tensor tensor) => ((IlgpuBuffer)tensor.Buffer).Range;
}
