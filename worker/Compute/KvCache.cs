namespace Cluster.Worker.Compute;

/// <summary>The shape of the paged key/value cache.</summary>
/// <param name="Layers">Attention layers that a block has room for, one a region.</param>
/// <param name="KvHeads">Key/value heads held by this rank.</param>
/// <param name="HeadDim">Elements of a head.</param>
/// <param name="BlockSize">Token slots of a block (16).</param>
/// <param name="NumBlocks">Blocks in the pool. Slot s lives in block s / BlockSize at offset s % BlockSize, in each region.</param>
/// <param name="DType">Element type of the cache.</param>
internal sealed record KvCacheLayout(int Layers, int KvHeads, int HeadDim, int BlockSize, int NumBlocks, DType DType)
{
    /// <summary>Elements of a latent (DeepSeek-AI, arXiv 2405.04434, multi-head latent attention): a token has one key for all query heads
    /// and no value, since values are the key's first elements, as many as this. 0 for heads with keys and values.</summary>
    public int LatentDim { get; init; }

    public bool IsLatent => LatentDim > 0;

    /// <summary>Elements of a value.</summary>
    public int ValueDim => IsLatent ? LatentDim : HeadDim;

    /// <summary>What is stored of a token: keys and values, or keys alone.</summary>
    public int Halves => IsLatent ? 1 : 2;

    /// <summary>Bytes that one block takes over all layers, keys and values.</summary>
    public long BytesPerBlock => (long)Halves * Layers * KvHeads * HeadDim * BlockSize * DType.Size();

    /// <summary>Columns of the rows that <see cref="Backend.PagedAttention"/> takes queries from: keys and values come with them unless
    /// they are latent.</summary>
    public int QueryColumns(int heads) => (heads + (IsLatent ? 0 : 2 * KvHeads)) * HeadDim;

    /// <exception cref="ArgumentException">A latent cache has several heads or longer values than keys.</exception>
    public void RequireWhole()
    {
        if (IsLatent && (KvHeads != 1 || LatentDim > HeadDim))
        {
            throw new ArgumentException(
                $"a latent cache of {KvHeads} heads with {LatentDim} of {HeadDim} elements; it has one head, and values are part of keys");
        }
    }
}

/// <summary>Key/value memory of all layers, in a layout of the backend's choosing.</summary>
internal abstract class KvCache(KvCacheLayout layout)
{
    public KvCacheLayout Layout { get; } = layout;
}

/// <summary>Where the rows of a step's packed batch belong; all tensors are I32 on the device.</summary>
/// <param name="Positions"><c>[tokens]</c> position of each row in its sequence.</param>
/// <param name="SlotMapping"><c>[tokens]</c> cache slot each row's key and value go to; −1 for rows that fill a step up, and go
/// nowhere. Only devices that capture graphs are given such rows.</param>
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
    private static readonly KvScales One = new(1, 1);

    /// <summary>The factors for a cache of a type.</summary>
    public static KvScales For(DType cache, KvScales? scales) => cache.Size() == 1 && scales is not null ? scales : One;
}
