using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>Memory between kernels that grows to the largest step ever seen, so that a steady decode takes nothing.</summary>
internal struct Scratchpad
{
    /// <summary>Empty as long as nobody has asked, or the device did not have what was asked for.</summary>
    public MemoryRange Memory;

    /// <summary>Most that was ever asked for, whether the device had it or not.</summary>
    public long AskedBytes;

    /// <summary>Why the device did not have it: asked again only for more, and never while a graph is captured.</summary>
    public string? Refusal;
}
