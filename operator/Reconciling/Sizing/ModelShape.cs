using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>The sizes in a model's configuration from which its memory follows. Made by <see cref="ModelShapeReader"/>.</summary>
internal sealed record ModelShape
{
    /// <summary>Transformers' <c>model_type</c>.</summary>
    public required string Type { get; init; }

    public required int Layers { get; init; }

    public required int HiddenSize { get; init; }

    /// <summary>Of the MLPs without experts; 0 where every layer has experts.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int VocabSize { get; init; }

    /// <summary>Longest sequence the checkpoint is made for.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Bytes of a weight that is not quantized, and of a cached key or value unless the cache is smaller.</summary>
    public int ElementBytes { get; init; } = 2;

    /// <summary>Of the linear layers, or of those of them that are quantized.</summary>
    public WeightFormat Format { get; init; } = WeightFormat.Plain;

    /// <summary>The MLP multiplies two projections.</summary>
    public bool GatedMlp { get; init; } = true;

    /// <summary>The output matrix is the embedding table.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Null where no layer has experts.</summary>
    public ExpertShape? Experts { get; init; }

    /// <summary>Null where the cache holds keys and values.</summary>
    public LatentShape? Latent { get; init; }

    /// <summary>Learned positions added to embeddings.</summary>
    public int LearnedPositions { get; init; }

    /// <summary>Of each layer, how many of the latest tokens it looks at; 0 for all.</summary>
    public ImmutableArray<int> Windows { get; init; } = [];

    /// <summary>All weights, see <see cref="ModelWeights"/>.</summary>
    public IReadOnlyList<WeightMatrix> Weights { get; init; } = [];

    /// <summary>What the checkpoint says its weights take, which is exact where the sizes are not; null where it says nothing. Towers of a
    /// multimodal checkpoint are in it.</summary>
    public long? CheckpointBytes { get; init; }

    public long Parameters => Weights.Sum(w => w.Parameters);

    /// <summary>Bytes of all weights in the checkpoint's format: linear layers may be quantized, the rest is not.</summary>
    public long WeightBytes => WeightBytesOn(1);

    /// <summary>Values of a token that are alive at once in an attention layer, and in an MLP.</summary>
    public long AttentionWidth => Latent is { } latent
        ? (long)Heads * (latent.QueryDim + (2 * latent.KvRank))
        : (Heads + (2L * KvHeads)) * HeadDim;

    public long MlpWidth => 2L * Math.Max(
        IntermediateSize,
        Experts is { } experts ? ((long)experts.PerToken * experts.IntermediateSize) + experts.SharedIntermediateSize : 0);

    /// <summary>Bytes of weights on each of so many GPUs (Megatron-LM: linear layers, embedding and output matrix are cut, the
    /// rest is on all of them; so is a KV head when there are fewer of them than GPUs).</summary>
    public long WeightBytesOn(int degree)
    {
        var replicated = Weights.Where(w => w.Cut == WeightCut.None).Sum(w => w.Bytes(ElementBytes));
        var sum = CutBytesOn(degree) + (CheckpointBytes is { } exact ? exact - CutBytesOn(1) - replicated : 0);
        return (long)(Math.Ceiling(sum / degree) + replicated);
    }

    /// <summary>Bytes of everything that is cut, added up over so many GPUs.</summary>
    private double CutBytesOn(int degree) => Weights.Where(w => w.Cut != WeightCut.None).Sum(
        w => w.Bytes(ElementBytes) * (w.Cut == WeightCut.KvHeads ? (double)KvHeadsOn(degree) * degree / KvHeads : 1));

    /// <param name="elementBytes">Of a cached value.</param>
    /// <returns>Bytes a token takes in the cache of each of so many GPUs, in all layers.</returns>
    public long KvBytesPerTokenOn(int degree, int elementBytes) => Cache.LayersOfToken * LayerKvBytesOn(degree, elementBytes);

    /// <param name="tokens">Of one sequence.</param>
    /// <param name="stepTokens">Most tokens that a step adds: a layer with a window forgets between steps, not within one.</param>
    /// <returns>Bytes a sequence takes in the cache of each of so many GPUs.</returns>
    public long KvBytesOn(int degree, int elementBytes, int tokens, int stepTokens) =>
        Cache.LayerTokens(tokens, stepTokens) * LayerKvBytesOn(degree, elementBytes);

    /// <summary>Numbers of GPUs the model can be split over, ascending: every rank has the same number of whole heads, of KV heads
    /// (or a copy of one), of MLP columns, and of whole groups of quantized weights.</summary>
    public IEnumerable<int> Degrees(int most) => Enumerable.Range(1, Math.Min(most, Heads)).Where(d =>
        Heads % d == 0
        && (Latent is not null || KvHeads % d == 0 || d % KvHeads == 0)
        && Weights.All(w => w.Divides(d)));

    /// <summary>The checkpoint stored in another format, for "what would help".</summary>
    public ModelShape As(WeightFormat format) => this with
    {
        Format = format,
        Weights = [.. Weights.Select(w => w.IsLinear ? w with { Format = format } : w)],
        CheckpointBytes = null,
    };

    private CacheGroups Cache => CacheGroups.Of(Layers, Windows, MaxLength);

    private long LayerKvBytesOn(int degree, int elementBytes) =>
        (Latent is { } latent ? latent.CachedValues : 2L * KvHeadsOn(degree) * HeadDim) * elementBytes;

    private int KvHeadsOn(int degree) => Math.Max(1, KvHeads / degree);
}
