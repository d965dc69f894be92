using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Copies from device memory to shared memory that go on while the thread computes, past its registers (cp.async, from sm_80
/// on).</summary>
/// <remarks>A thread's copies are closed into batches, and what it has waited for it alone sees: a barrier shows it to the group. Nothing
/// may be read from where a copy is under way, nor written to. Everywhere else the copy is done at once.</remarks>
internal static class AsyncCopy
{
    /// <summary>Starts to copy 16 bytes.</summary>
    /// <param name="to">In shared memory, at a multiple of 16 bytes.</param>
    /// <param name="from">In device memory, likewise.</param>
    [IntrinsicImplementation]
    public static void Begin(ref UInt4 to, ref UInt4 from) => PortableBegin(ref to, ref from);

    /// <summary>What was begun since the last call is a batch.</summary>
    [IntrinsicImplementation]
    public static void Close() => PortableClose();

    /// <summary>Waits for all batches but the last few.</summary>
    /// <param name="underWay">Batches that may still be under way: a constant.</param>
    [IntrinsicImplementation]
    public static void Await(int underWay) => PortableAwait(underWay);

    /// <summary><see cref="Begin"/> through a register.</summary>
    public static void PortableBegin(ref UInt4 to, ref UInt4 from) => to = from;

    /// <summary>Nothing: see <see cref="PortableBegin"/>.</summary>
    public static void PortableClose()
    {
    }

    /// <summary>Nothing, likewise.</summary>
    public static void PortableAwait(int underWay)
    {
    }
}
