using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Running;

/// <summary>How long sequences may be and how many KV blocks there are. Pure arithmetic, done by <see cref="ModelLoader"/> in two steps:
/// the length before weights are loaded (the rotary table needs it), the blocks once their size is known.</summary>
/// <param name="MaxModelLength">Longest sequence, prompt and output together.</param>
/// <param name="Cache">The cache to allocate.</param>
/// <param name="Groups">The layers that share its blocks.</param>
/// <param name="BlocksOfLongest">Most blocks that a sequence of that length holds at once.</param>
internal sealed record CapacityPlan(int MaxModelLength, KvCacheLayout Cache, KvGroups Groups, long BlocksOfLongest)
{
    /// <summary>Sequences of the longest length that fit at once.</summary>
    public double MaxConcurrency => (double)Cache.NumBlocks / BlocksOfLongest;

    /// <summary>Tokens that fit, in sequences of the longest length.</summary>
    public long CacheTokens => (long)Cache.NumBlocks * Blocks(MaxModelLength, Cache.BlockSize) * Cache.BlockSize / BlocksOfLongest;

    /// <summary>Bytes of the cache.</summary>
    public long CacheBytes => Cache.NumBlocks * Cache.BytesPerBlock;

    /// <summary>Fits the cache into memory.</summary>
    /// <param name="budgetBytes">Memory for the cache; ignored when the options name a number of blocks.</param>
    /// <exception cref="ArgumentException">The options ask for more than the model or the memory can hold.</exception>
    public static CapacityPlan Fit(ModelConfig config, ModelRunnerOptions options, long budgetBytes)
    {
        var groups = KvGroups.Of(config);
        var layout = new KvCacheLayout(
            groups.LayersPerGroup, config.NumKvHeads, config.Latent?.CacheDim ?? config.HeadDim, options.BlockSize, NumBlocks: 0,
            options.KvCacheDType)
        {
            LatentDim = config.Latent?.KvRank ?? 0,
        };
        var wanted = WantedLength(config, options);
        var affordable = options.NumBlocks
            ?? (int)Math.Min(Math.Max(budgetBytes, 0) / layout.BytesPerBlock, int.MaxValue / options.BlockSize);

        // The one sequence that must fit always; a length nobody asked for gives way instead.
        var length = Math.Min(wanted, groups.LongestIn(affordable, options.MaxBatchedTokens, options.BlockSize));
        if (length == 0)
        {
            throw new ArgumentException(
                $"no memory is left for the KV cache: {Mebibytes(budgetBytes)} for blocks of {Mebibytes(layout.BytesPerBlock)}; "
                + "raise gpu-memory-utilization or lower max-num-batched-tokens");
        }

        if (length < options.MaxModelLength)
        {
            throw new ArgumentException(
                $"max-model-len {wanted} needs {groups.BlocksFor(wanted, options.MaxBatchedTokens, options.BlockSize)} KV blocks of "
                + $"{options.BlockSize} tokens, but there are {affordable}; lower it to {length} or raise gpu-memory-utilization");
        }

        var needed = groups.BlocksFor(length, options.MaxBatchedTokens, options.BlockSize);
        var useful = Math.Min(options.MaxSequences * needed, int.MaxValue / options.BlockSize);
        var blocks = options.NumBlocks ?? (int)Math.Min(affordable, useful);
        return new CapacityPlan(length, layout with { NumBlocks = blocks }, groups, needed);
    }

    /// <summary>The length asked for, or the model's own.</summary>
    /// <exception cref="ArgumentException">The model was not made for the length asked for.</exception>
    public static int WantedLength(ModelConfig config, ModelRunnerOptions options)
    {
        if (options.MaxModelLength > config.MaxLength)
        {
            throw new ArgumentException(
                $"max-model-len {options.MaxModelLength} exceeds the {config.MaxLength} positions the model is made for");
        }

        return options.MaxModelLength ?? config.MaxLength;
    }

    /// <summary>For the start log.</summary>
    public override string ToString() =>
        $"KV cache: {Cache.NumBlocks} blocks × {Cache.BlockSize} tokens"
        + (Groups.Count == 1 ? "" : $" × {Cache.Layers} layers for {Groups.Count} groups ({Groups})")
        + $" = {CacheTokens} tokens, {Mebibytes(CacheBytes)}, {Cache.DType}; longest sequence {MaxModelLength}, maximum concurrency for it "
        + string.Create(CultureInfo.InvariantCulture, $"{MaxConcurrency:F2}x");

    private static int Blocks(int tokens, int blockSize) => (int)(((long)tokens + blockSize - 1) / blockSize);

    private static string Mebibytes(long bytes) => $"{bytes / (1024.0 * 1024.0):F1} MiB";
}
