using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Running;

/// <summary>How much a <see cref="ModelRunner"/> can take at once. Filled from the worker's flags of the same names.</summary>
internal sealed record ModelRunnerOptions
{
    /// <summary>Most rows one step may have (<c>--max-num-batched-tokens</c>).</summary>
    public int MaxBatchedTokens { get; init; } = 2048;

    /// <summary>Most sequences one step may have (<c>--max-num-seqs</c>).</summary>
    public int MaxSequences { get; init; } = 256;

    /// <summary>Most rows of one step that need logits; null means one for each sequence, as decoding needs.</summary>
    public int? MaxLogits { get; init; }

    /// <summary>Longest sequence, prompt and output together (<c>--max-model-len</c>); null takes the model's own, or less where memory is
    /// short.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>Token slots of a KV block (<c>--block-size</c>).</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>Blocks of the KV cache; null computes them from <see cref="GpuMemoryUtilization"/>.</summary>
    public int? NumBlocks { get; init; }

    /// <summary>Bytes for the KV cache (<c>--cpu-kvcache-space</c>); null takes what <see cref="GpuMemoryUtilization"/> leaves.</summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>Share of the device's memory for weights, activations and cache together, (0, 1]
    /// (<c>--gpu-memory-utilization</c>).</summary>
    public double GpuMemoryUtilization { get; init; } = 0.9;

    /// <summary>How the checkpoint must be quantized (<c>--quantization</c>): a
    /// <see cref="Models.Quantization.QuantizationScheme.Method"/>, <c>none</c>, or <c>auto</c> for whatever it is.</summary>
    public string Quantization { get; init; } = "auto";

    /// <summary>Whether inputs of quantized layers are rounded: to 8 bits where the checkpoint asks for it (W8A8), to 16 where the device
    /// is faster with that. References are computed without.</summary>
    public bool RoundsInputs { get; init; } = true;

    /// <summary>Element type of the KV cache (<c>--kv-cache-dtype</c>).</summary>
    public DType KvCacheDType { get; init; } = DType.F32;

    /// <summary>Whether the device may choose tokens, for which it sets memory aside. Not needed where all logits are wanted.</summary>
    public bool SampleOnDevice { get; init; } = true;

    /// <summary>Longest sequence in decode steps that are captured as graphs (<c>--max-seq-len-to-capture</c>); 0 captures none
    /// (<c>--enforce-eager</c>). Without effect on devices that cannot.</summary>
    public int MaxLengthToCapture { get; init; }

    /// <exception cref="ArgumentException">A value is out of range; names it and what would be right.</exception>
    public void Validate()
    {
        AtLeastOne(MaxBatchedTokens, "max-num-batched-tokens");
        AtLeastOne(MaxSequences, "max-num-seqs");
        AtLeastOne(MaxLogits ?? 1, "max-logits");
        AtLeastOne(MaxModelLength ?? 1, "max-model-len");
        AtLeastOne(BlockSize, "block-size");
        AtLeastOne(NumBlocks ?? 1, "num-blocks");
        if (MaxSequences > MaxBatchedTokens)
        {
            throw new ArgumentException(
                $"max-num-seqs {MaxSequences} exceeds max-num-batched-tokens {MaxBatchedTokens}: a step has a row for each sequence");
        }

        if ((long)(NumBlocks ?? 1) * BlockSize > int.MaxValue)
        {
            throw new ArgumentException($"num-blocks {NumBlocks} × block-size {BlockSize} exceeds {int.MaxValue} token slots");
        }

        if (!(GpuMemoryUtilization > 0 && GpuMemoryUtilization <= 1))
        {
            throw new ArgumentException($"gpu-memory-utilization is {GpuMemoryUtilization}; expected above 0 and at most 1");
        }
    }

    private static void AtLeastOne(int value, string flag)
    {
        if (value < 1)
        {
            throw new ArgumentException($"{flag} is {value}; expected at least 1");
        }
    }
}
