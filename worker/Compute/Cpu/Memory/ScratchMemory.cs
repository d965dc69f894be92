namespace Cluster.Worker.Compute.Cpu.Memory;

/// <summary>Working memory of one kernel, kept between calls. It grows to the largest step ever seen, so a steady decode allocates
/// nothing.</summary>
internal sealed unsafe class ScratchMemory : IDisposable
{
    private NativeMemoryBlock _block = new(0);

    /// <summary>At least so many floats, 64-byte aligned, contents undefined; valid until the next call.</summary>
    public float* Floats(long count)
    {
        var bytes = checked(count * sizeof(float));
        if (_block.Bytes < bytes)
        {
            _block.Dispose();
            _block = new NativeMemoryBlock(Math.Max(bytes, 2 * _block.Bytes));
        }

        return (float*)_block.Address;
    }

    public void Dispose() => _block.Dispose();
}
