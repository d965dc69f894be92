namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>The sizes in a model's configuration from which its memory follows. Made by <see cref="ModelShapeReader"/>, or by hand in
/// tests.</summary>
internal sealed record ModelShape
{
    /// <summary>Transformers' <c>model_type</c>.</summary>
    public required string Type { get; init; }

    public required int Layers { get; init; }

    public required int HiddenSize { get; init; }

    /// <summary>Of the MLPs without experts.</summary>
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

    public WeightFormat Format { get; init; } = WeightFormat.Plain;

    /// <summary>The MLP multiplies two projections.</summary>
    public bool GatedMlp { get; init; } = true;

    /// <summary>The output matrix is the embedding table.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Experts of a layer that has any; 0 for none.</summary>
    public int Experts { get; init; }

    public int ExpertIntermediateSize { get; init; }

    /// <summary>Layers with experts; the others have one MLP.</summary>
    public int ExpertLayers { get; init; }

    /// <summary>Learned positions added to embeddings.</summary>
    public int LearnedPositions { get; init; }

    /// <summary>Norms and biases of all layers, in weights. They are a ten-thousandth of the whole.</summary>
    public long SmallWeights { get; init; }

    /// <summary>What the checkpoint says its weights take, which is exact where the formula below is not; null where it says
    /// nothing.</summary>
    public long? CheckpointBytes { get; init; }

    private long QueryWeights => (long)Layers * HiddenSize * Heads * HeadDim;

    /// <summary>Of all key and value projections: what ranks beyond the number of KV heads hold twice.</summary>
    private long KvWeights => 2L * Layers * HiddenSize * KvHeads * HeadDim;

    private long MlpWeights =>
        ((long)(Layers - ExpertLayers) * Matrices * HiddenSize * IntermediateSize)
            + ((long)ExpertLayers * Experts * Matrices * HiddenSize * ExpertIntermediateSize);

    private int Matrices => GatedMlp ? 3 : 2;

    private long EmbeddingWeights => (long)VocabSize * HiddenSize * (TiedEmbeddings ? 1 : 2);

    private long ReplicatedWeights => SmallWeights + ((long)ExpertLayers * Experts * HiddenSize) + ((long)LearnedPositions * HiddenSize);

    public long Parameters => (2 * QueryWeights) + KvWeights + MlpWeights + EmbeddingWeights + ReplicatedWeights;

    /// <summary>Bytes of all weights in the checkpoint's format: linear layers may be quantized, the rest is not.</summary>
    public long WeightBytes => WeightBytesOn(1);

    /// <summary>Bytes of weights on each of so many GPUs (Megatron-LM: linear layers, embedding and output matrix are cut, the
    /// rest is on all of them; so is a KV head when there are fewer of them than GPUs).</summary>
    public long WeightBytesOn(int degree)
    {
        var sum = SumOn(degree) + (CheckpointBytes is { } exact ? exact - SumOn(1) - (ReplicatedWeights * ElementBytes) : 0);
        return (long)Math.Ceiling(sum / degree) + (ReplicatedWeights * ElementBytes);
    }

    /// <summary>Bytes of everything that is cut, added up over so many GPUs.</summary>
    private double SumOn(int degree)
    {
        var linear = ((2 * QueryWeights) + MlpWeights + ((double)KvWeights * KvHeadsOn(degree) * degree / KvHeads))
            * Format.BytesPerWeight(ElementBytes);
        return linear + (EmbeddingWeights * (double)ElementBytes);
    }

    /// <param name="elementBytes">Of a cached key or value.</param>
    /// <returns>Bytes a token takes in the cache of each of so many GPUs.</returns>
    public long KvBytesPerTokenOn(int degree, int elementBytes) => 2L * Layers * KvHeadsOn(degree) * HeadDim * elementBytes;

    /// <summary>Numbers of GPUs the model can be split over, ascending: every rank has the same number of whole heads, of KV heads
    /// (or a copy of one), of MLP columns, and of whole groups of quantized weights.</summary>
    public IEnumerable<int> Degrees(int most) => Enumerable.Range(1, Math.Min(most, Heads)).Where(d =>
        Heads % d == 0
        && (KvHeads % d == 0 || d % KvHeads == 0)
        && (Layers == ExpertLayers || Divides(d, IntermediateSize))
        && (ExpertLayers == 0 || Divides(d, ExpertIntermediateSize))
        && Divides(d, Heads * HeadDim));

    /// <summary>The checkpoint stored in another format, for "what would help".</summary>
    public ModelShape As(WeightFormat format) => this with { Format = format, CheckpointBytes = null };

    private int KvHeadsOn(int degree) => Math.Max(1, KvHeads / degree);

    /// <summary>Rows of a matrix that is cut by rows; a group of weights with one scale stays whole.</summary>
    private bool Divides(int degree, int rows) => rows % degree == 0 && rows / degree % Format.GroupSize == 0;
}
