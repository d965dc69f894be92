namespace Cluster.Worker.Offline;

/// <summary>How an <see cref="LLM"/> is loaded and run. Names, meanings and defaults are those of the worker's options; null leaves the
/// default.</summary>
public sealed record LLMOptions
{
    /// <summary>GPUs that the model is split over (<c>--tensor-parallel-size</c>).</summary>
    public int? TensorParallelSize { get; init; }

    /// <summary>What to run on (<c>--device</c>): <c>auto</c>, <c>cpu</c>, <c>hip</c>, <c>cuda</c>, <c>opencl</c> or
    /// <c>interpreter</c>.</summary>
    public string? Device { get; init; }

    /// <summary>Type to compute in (<c>--dtype</c>).</summary>
    public string? DType { get; init; }

    /// <summary>How the checkpoint must be quantized (<c>--quantization</c>).</summary>
    public string? Quantization { get; init; }

    /// <summary>Type of the KV cache (<c>--kv-cache-dtype</c>).</summary>
    public string? KvCacheDType { get; init; }

    /// <summary>Longest sequence, prompt and output together (<c>--max-model-len</c>).</summary>
    public int? MaxModelLen { get; init; }

    /// <summary>Most sequences per step (<c>--max-num-seqs</c>).</summary>
    public int? MaxNumSeqs { get; init; }

    /// <summary>Most tokens per step (<c>--max-num-batched-tokens</c>).</summary>
    public int? MaxNumBatchedTokens { get; init; }

    /// <summary>Fraction of the device's memory for weights and KV cache (<c>--gpu-memory-utilization</c>).</summary>
    public double? GpuMemoryUtilization { get; init; }

    /// <summary>Whether KV blocks of prompts that begin alike are shared (<c>--enable-prefix-caching</c>).</summary>
    public bool? EnablePrefixCaching { get; init; }

    /// <summary>Branch, tag or commit of a model on the hub (<c>--revision</c>).</summary>
    public string? Revision { get; init; }

    /// <summary>Folder to download models to (<c>--download-dir</c>).</summary>
    public string? DownloadDir { get; init; }

    /// <summary>Seed of requests that set none (<c>--seed</c>).</summary>
    public long? Seed { get; init; }

    /// <summary>A file with a chat template, or the template itself, in place of the checkpoint's.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Further options as on the command line of <c>cluster-worker generate</c>, such as <c>--speculative-model</c>; they count
    /// before the properties.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Is told what happens while the model loads, one line per fact; null for nobody.</summary>
    public Action<string>? Log { get; init; }
}
