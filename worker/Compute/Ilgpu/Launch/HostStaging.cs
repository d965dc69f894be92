using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>For launchers whose writes return when the device has what is written.</summary>
internal sealed class HostStaging(int bytes) : StagingMemory(bytes)
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(bytes, pinned: true);

    public override nint Take() => Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);

    public override void Dispose()
    {
        // The garbage collector has it.
    }
}
