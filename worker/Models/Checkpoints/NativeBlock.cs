using System.Runtime.InteropServices;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Native memory for a tensor's elements: a table can exceed what an array holds. Freed by <see cref="Dispose"/>, or when nothing
/// refers to it.</summary>
internal sealed unsafe class NativeBlock : IDisposable
{
    private readonly long _bytes;

    /// <param name="isZeroed">Otherwise contents are undefined.</param>
    public NativeBlock(long bytes, bool isZeroed = false)
    {
        _bytes = bytes;
        Address = (nint)(isZeroed ? NativeMemory.AllocZeroed((nuint)bytes) : NativeMemory.Alloc((nuint)bytes));
        GC.AddMemoryPressure(bytes);
    }

    ~NativeBlock() => Free();

    /// <summary>0 once it is freed.</summary>
    public nint Address { get; private set; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (Address != 0)
        {
            NativeMemory.Free((void*)Address);
            GC.RemoveMemoryPressure(_bytes);
            Address = 0;
        }
    }
}
