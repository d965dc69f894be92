using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Cpu.Memory;

/// <summary>Memory outside the garbage-collected heap, aligned to a cache line. Addressed by pointer: it may exceed the 2 GiB of a
/// span.</summary>
internal sealed unsafe class NativeMemoryBlock : IDisposable
{
    private const int CacheLineBytes = 64;

    private void* _address;

    /// <exception cref="OutOfMemoryException">The system has no more.</exception>
    public NativeMemoryBlock(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        _address = NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), CacheLineBytes);
        Bytes = bytes;
    }

    ~NativeMemoryBlock() => Free();

    public long Bytes { get; }

    public byte* Address => (byte*)_address;

    public void Clear() => NativeMemory.Clear(_address, (nuint)Bytes);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
    }
}
