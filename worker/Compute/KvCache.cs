namespace Cluster.Worker.Compute;

/// <summary>The shape of the paged key/value cache.</summary>
/// <param name="Layers">Attention layers.</param>
/// <param name="KvHeads">Key/value heads held by this rank.</param>
/// <param name="HeadDim">Elements of a head.</param>
/// <param name="BlockSize">Token slots of a block (16).</param>
/// <param name="NumBlocks">Blocks in the pool. Slot s lives in block s / BlockSize at offset s % BlockSize, in every layer.</param>
/// <param name="DType">Element type of the cache.</param>
internal sealed record KvCacheLayout(int Layers, int KvHeads, int HeadDim, int BlockSize, int NumBlocks, DType DType)
{
    /// <summary>Bytes that one block takes over all layers, keys and values.</summary>
    public long BytesPerBlock => 2L * Layers * KvHeads * HeadDim * BlockSize * DType.Size();
}

/// <summary>Key/value memory of all layers, in a layout of the backend's choosing.</summary>
internal abstract class KvCache(KvCacheLayout layout)
{
    public KvCacheLayout Layout { get; } = layout;
}

/// <summary>Where the rows of a step's packed batch belong; all tensors are I32 on the device.</summary>
/// <param name="Positions"><c>[tokens]</c> position of each row in its sequence.</param>
/// <param name="SlotMapping"><c>[tokens]</c> cache slot each row's key and value go to.</param>
/// <param name="QueryStarts"><c>[sequences + 1]</c> first row of each sequence.</param>
/// <param name="ContextLengths"><c>[sequences]</c> tokens in the cache once this step's are written.</param>
/// <param name="BlockTables"><c>[sequences, maxBlocks]</c> block ids; entries past a sequence's own are ignored.</param>
/// <param name="MaxQueryLength">Longest run of rows of one sequence (1: pure decode); sizes a GPU grid.</param>
/// <param name="MaxContextLength">At least the longest context, and no more than the block tables cover; sizes a GPU grid.</param>
internal readonly record struct AttentionInputs(
    Tensor Positions,
    Tensor SlotMapping,
    Tensor QueryStarts,
    Tensor ContextLengths,
    Tensor BlockTables,
    int MaxQueryLength,
    int MaxContextLength);

/// <summary>What one attention layer computes.</summary>
/// <param name="Heads">Query heads; a multiple of the cache's KV heads.</param>
/// <param name="Scale">Multiplies q·k.</param>
/// <param name="SlidingWindow">Keys further back than this many positions are masked; 0 means none.</param>
/// <param name="LogitSoftCap">cap · tanh(score / cap); 0 means none.</param>
/// <param name="AlibiSlopes"><c>[1, heads]</c>; slope · (key position - query position) is added to a head's scores (Press et al., arXiv
/// 2108.12409). Null means none.</param>
internal sealed record AttentionSettings(int Heads, float Scale, int SlidingWindow = 0, float LogitSoftCap = 0, Tensor? AlibiSlopes = null)
{
    /// <summary>Chunked attention (Llama 4): keys before position / Chunk · Chunk are masked; 0 means none.</summary>
    public int Chunk { get; init; }

    /// <summary><c>[1, heads]</c>; exp(sink − max) is one more term of a head's softmax denominator (gpt-oss). Null means none.</summary>
    public Tensor? Sinks { get; init; }

    /// <summary><c>[1, positions]</c>; multiplies q·k by the query's position, as scaled queries would (the temperature of Llama 4). Null
    /// means none.</summary>
    public Tensor? QueryScales { get; init; }

    /// <summary>What <see cref="Backend.RopeAndCache"/> has divided keys and values by; null means nothing.</summary>
    public KvScales? CacheScales { get; init; }
}

/// <summary>What an FP8 cache's keys and values are divided by before they are rounded, and multiplied by when they are read; other caches
/// take no notice of it.</summary>
internal sealed record KvScales(float Key, float Value)
{
    private static readonly KvScales s_none = new(1, 1);

    /// <summary>The factors for a cache of a type.</summary>
    public static KvScales For(DType cache, KvScales? scales) => cache.Size() == 1 && scales is not null ? scales : s_none;
}
