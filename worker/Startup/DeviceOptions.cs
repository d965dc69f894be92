using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Profiling;

namespace Cluster.Worker.Startup;

/// <summary>What a worker runs on and how it uses it. Read by <see cref="BackendFactory"/>.</summary>
/// <param name="Name">One of <see cref="BackendFactory.Devices"/> (<c>--device</c>).</param>
internal sealed record DeviceOptions(string Name = BackendFactory.Auto)
{
    /// <summary>Threads of the CPU, of all ranks together; null for one per processor.</summary>
    public int? CpuThreads { get; init; }

    /// <summary>Type that weights and activations were asked for in (<c>--dtype</c>); null for the checkpoint's.</summary>
    public DType? DType { get; init; }

    /// <summary>Element type of the KV cache (<c>--kv-cache-dtype</c>); null leaves the choice to the device.</summary>
    public DType? KvCacheDType { get; init; }

    /// <summary>Whether there must be as many GPUs as ranks and no more: one that a replica does not use was meant for another.</summary>
    public bool ExactGpus { get; init; }

    /// <summary>How multiplications are tuned; null where they are not.</summary>
    public TunableOp? Tuning { get; init; }

    /// <summary>Is told the operations of steps; null for nobody.</summary>
    public OperationProfile? Profile { get; init; }

    /// <summary>Graphs are not captured (<c>--enforce-eager</c>).</summary>
    public bool EnforceEager { get; init; }

    /// <summary>Longest sequence that graphs are captured for (<c>--max-seq-len-to-capture</c>); null for the default.</summary>
    public int? MaxSeqLenToCapture { get; init; }

    /// <summary>Element type of the KV cache. <c>auto</c> is the model's own.</summary>
    /// <param name="stored">The checkpoint's type; null if it does not say.</param>
    public DType CacheDType(DType? stored) =>
        KvCacheDType ?? (stored is Compute.DType.F16 or Compute.DType.BF16 ? stored.Value : Compute.DType.F32);
}
