namespace Cluster.Worker.Startup;

/// <summary>What a worker runs on and how it uses it. Read by <see cref="BackendFactory"/>.</summary>
/// <param name="Name">One of <see cref="BackendFactory.Devices"/> (<c>--device</c>).</param>
internal sealed record DeviceOptions(string Name = BackendFactory.Auto)
{
    /// <summary>Threads of the CPU, of all ranks together; null for one per processor.</summary>
    public int? CpuThreads { get; init; }

    /// <summary>Graphs are not captured (<c>--enforce-eager</c>).</summary>
    public bool EnforceEager { get; init; }

    /// <summary>Longest sequence that graphs are captured for (<c>--max-seq-len-to-capture</c>); null for the default.</summary>
    public int? MaxSeqLenToCapture { get; init; }
}
