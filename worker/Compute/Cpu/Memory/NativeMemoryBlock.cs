using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Cpu.Memory;

/// <summary>Memory outside the garbage-collected heap, aligned to a cache line. Addressed by pointer: it may exceed the 2 GiB of a
/// span.</summary>
internal sealed unsafe partial class NativeMemoryBlock : IDisposable
{
    private const int CacheLineBytes = 64;

    /// <summary>Of a huge page on x86-64 and most others.</summary>
    private const int HugePageBytes = 2 << 20;

    private void* _address;

    /// <summary>What the allocator gave, where that is not <see cref="_address"/>.</summary>
    private void* _unaligned;

    /// <exception cref="OutOfMemoryException">The system has no more.</exception>
    public NativeMemoryBlock(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        if (bytes < HugePageBytes || !OperatingSystem.IsLinux())
        {
            _address = NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), CacheLineBytes);
            return;
        }

        // Weights are written once from front to back: a fault for each 4 KiB takes longer than the copying. Only whole pages are asked
        // for, so that none is there for the sake of a few bytes.
        const int HugePages = 14;
        _address = NativeMemory.AlignedAlloc((nuint)bytes, HugePageBytes);
        _ = Advise((nint)_address, (nuint)(bytes / HugePageBytes * HugePageBytes), HugePages);
    }

    private NativeMemoryBlock(void* unaligned, long bytes)
    {
        _unaligned = unaligned;
        _address = (void*)(((nuint)unaligned + CacheLineBytes - 1) & ~(nuint)(CacheLineBytes - 1));
        Bytes = bytes;
    }

    ~NativeMemoryBlock() => Free();

    public long Bytes { get; }

    public byte* Address => (byte*)_address;

    /// <summary>Memory of zeros. Pages of a large block are the system's own, and none is there before it is written to: tensors for the
    /// largest step take neither time nor memory until there is one.</summary>
    /// <exception cref="OutOfMemoryException">The system has no more.</exception>
    public static NativeMemoryBlock Zeroed(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return new NativeMemoryBlock(NativeMemory.AllocZeroed((nuint)bytes + CacheLineBytes), bytes);
    }

    public void Clear() => NativeMemory.Clear(_address, (nuint)Bytes);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_unaligned != null)
        {
            NativeMemory.Free(_unaligned);
        }
        else
        {
            NativeMemory.AlignedFree(_address);
        }

        _address = null;
        _unaligned = null;
    }

    /// <summary>Fails where the system has no huge pages, which changes nothing else.</summary>
    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
