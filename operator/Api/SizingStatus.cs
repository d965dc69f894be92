namespace Cluster.Operator.Api;

/// <summary>How <c>tensorParallelSize: auto</c> was decided: part of the status, and the operator's only memory of the decision.</summary>
internal sealed class SizingStatus
{
    [Schema("GPUs per replica, as decided. Absent while nothing fits.")]
    public int? TensorParallelSize { get; set; }

    [Schema("The advice, in a sentence.")]
    public string? Message { get; set; }

    [Schema("What it was optimized for: Throughput or Latency.")]
    public string? OptimizedFor { get; set; }

    [Schema("The model that was counted: architecture, parameters and weight format.")]
    public string? Model { get; set; }

    [Schema("Where its configuration comes from.")]
    public string? ConfiguredBy { get; set; }

    [Schema("Bytes of all weights.")]
    public long? WeightBytes { get; set; }

    [Schema("Bytes of weights on each GPU, replicated ones included.")]
    public long? WeightBytesPerGpu { get; set; }

    [Schema("Bytes that a token takes in the KV caches of all GPUs of a replica together.")]
    public long? KvBytesPerToken { get; set; }

    [Schema("Memory of a GPU that was counted on. Pods are placed only on GPUs with at least as much.")]
    public long? VramBytesPerGpu { get; set; }

    [Schema("GPUs of a node that may work together (one XGMI hive unless gpu.requireSameHive is false).")]
    public int? GpusPerGroup { get; set; }

    [Schema("Tokens of the longest request that was planned for.")]
    public int? ContextTokens { get; set; }

    [Schema("Requests of that length that the KV cache must hold at once.")]
    public int? ContextSequences { get; set; }

    [Schema("Tokens that the KV cache of a replica holds.")]
    public long? KvCacheTokens { get; set; }

    [Schema("Requests of full length that the KV cache holds at once.", Minimum = 0)]
    public double? FullLengthSequences { get; set; }

    [Schema("Every degree that the model can be split by on such a node, and what it would give.", ListMapKey = "tensorParallelSize")]
    public List<SizingAlternative>? Alternatives { get; set; }

    [Schema("Digest of everything in the spec that the decision depends on: while it stays, so does the decision.")]
    public string? InputsHash { get; set; }
}

/// <summary>One row of the table that the decision was taken from.</summary>
internal sealed class SizingAlternative
{
    [Schema("GPUs per replica.", Required = true)]
    public int TensorParallelSize { get; set; }

    [Schema("Weights and context fit.")]
    public bool Fits { get; set; }

    [Schema("Tokens that the KV cache of a replica would hold; 0 when not even the weights fit.")]
    public long KvCacheTokens { get; set; }

    [Schema("Bytes missing on each GPU.")]
    public long? MissingBytesPerGpu { get; set; }
}
