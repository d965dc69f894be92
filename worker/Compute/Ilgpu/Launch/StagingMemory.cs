namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>Memory of the host that is filled in place and then written to the device: what is written passes through no other memory of
/// the host. Made by a launcher (<see cref="IKernelLauncher.Stage"/>), used by one thread.</summary>
internal abstract class StagingMemory(int bytes) : IDisposable
{
    public int Bytes => bytes;

    /// <summary>Its address, once the device has read what was written from it: it may be filled from here on.</summary>
    public abstract nint Take();

    public abstract void Dispose();
}
