using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Reads of device memory without a branch, where there may be none: what depends on no branch a compiler asks for early.
/// </summary>
internal static class Guarded
{
    /// <summary>16 bytes, or zeros, and then nothing is read (ld with a predicate).</summary>
    [IntrinsicImplementation]
    public static Float4 Read(ref Float4 from, bool isThere) => PortableRead(ref from, isThere);

    /// <summary>An offset that may be past the last where nothing is read: no matter to a device, but the interpreter looks at it.
    /// </summary>
    [IntrinsicImplementation]
    public static long Within(long offset, long last) => PortableWithin(offset, last);

    /// <summary><see cref="Within"/> where it matters.</summary>
    public static long PortableWithin(long offset, long last) => offset < last ? offset : last > 0 ? last : 0;

    /// <summary><see cref="Read"/> with a branch.</summary>
    public static Float4 PortableRead(ref Float4 from, bool isThere) => isThere ? from : default;
}
