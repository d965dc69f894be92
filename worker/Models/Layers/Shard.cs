using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Layers;

/// <summary>What one rank of a tensor-parallel group holds of a model, as Megatron-LM cuts it (Shoeybi et al., arXiv 1909.08053): attention
/// by heads, MLPs and experts by their intermediate features, embedding and output matrix by tokens; the rest is on every rank. Asked by
/// all parts of <see cref="Transformer"/> while they load; made by <see cref="ModelLoader"/>.</summary>
/// <remarks>
/// <code>
///           x (the same on every rank)
/// rank 0    q k v, gate, up: half the outputs → o, down: the inputs that they make ─┐
/// rank 1    the other half                    → the other inputs                   ─┴─ sum → the same on every rank
/// </code>
/// </remarks>
internal sealed class Shard
{
    private Shard(ModelConfig config, int rank, int size)
    {
        Rank = rank;
        Size = size;
        Heads = Slice.Of(config.NumHeads, rank, size);

        // Fewer key/value heads than ranks: neighbours, whose query heads share one, each have a copy of it.
        KvHeads = new Slice(config.NumKvHeads, (int)((long)config.NumKvHeads * rank / size), Math.Max(1, config.NumKvHeads / size));
        Intermediate = config.HasDenseLayers ? Slice.Of(config.IntermediateSize, rank, size) : config.IntermediateSize;
        ExpertIntermediate = Slice.Of(config.Moe?.IntermediateSize ?? 0, rank, size);
        SharedIntermediate = Slice.Of(config.Moe?.SharedIntermediateSize ?? 0, rank, size);
        Vocabulary = new VocabularyShards(config.VocabSize, size, config.Quantization?.CutUnit ?? 1);
        Config = config with
        {
            NumHeads = Heads.Count,
            NumKvHeads = KvHeads.Count,
            IntermediateSize = Intermediate.Count,
            Moe = config.Moe is { } moe
                ? moe with { IntermediateSize = ExpertIntermediate.Count, SharedIntermediateSize = SharedIntermediate.Count }
                : null,
        };
        KvGroups = KvGroups.Of(config);
    }

    public int Rank { get; }

    /// <summary>Ranks of the group; 1 where one device holds the whole model.</summary>
    public int Size { get; }

    public bool IsWhole => Size == 1;

    /// <summary>The model with this rank's numbers of heads and features: what its activations and its cache are made for.</summary>
    public ModelConfig Config { get; }

    /// <summary>Query heads.</summary>
    public Slice Heads { get; }

    public Slice KvHeads { get; }

    /// <summary>Other ranks have this rank's key/value heads as well.</summary>
    public bool CopiesKvHeads => KvHeads.Full < Size;

    /// <summary>Features between the two halves of an MLP.</summary>
    public Slice Intermediate { get; }

    /// <summary>The same of each expert.</summary>
    public Slice ExpertIntermediate { get; }

    /// <summary>The same of the MLP that all tokens pass through besides their experts.</summary>
    public Slice SharedIntermediate { get; }

    public VocabularyShards Vocabulary { get; }

    /// <summary>Where each layer finds its keys and values; the same on every rank.</summary>
    public KvGroups KvGroups { get; }

    /// <summary>Cuts a model for a rank.</summary>
    /// <param name="group">Null where one device holds the whole model.</param>
    /// <exception cref="ArgumentException">The model cannot be cut so; says why, and which degrees are possible.</exception>
    public static Shard Of(ModelConfig config, Communicator? group) => Of(config, group?.Rank ?? 0, group?.Size ?? 1);

    /// <inheritdoc cref="Of(ModelConfig, Communicator?)"/>
    public static Shard Of(ModelConfig config, int rank, int size) => WhyNot(config, size) is { } reason
        ? throw new ArgumentException($"tensor-parallel-size {size} {reason}; possible here: {string.Join(", ", Degrees(config))}")
        : new Shard(config, rank, size);

    /// <summary>Every number of ranks that a model can be cut for and a group can have, ascending.</summary>
    public static IEnumerable<int> Degrees(ModelConfig config) =>
        Enumerable.Range(1, Math.Min(config.NumHeads, GroupLimits.MaxSize)).Where(size => WhyNot(config, size) is null);

    /// <summary>Null when the model can be cut for so many ranks.</summary>
    private static string? WhyNot(ModelConfig config, int size)
    {
        if (size == 1)
        {
            return null;
        }

        if (config.NumHeads % size != 0)
        {
            return $"does not divide {config.NumHeads} attention heads";
        }

        if (config.NumKvHeads % size != 0 && size % config.NumKvHeads != 0)
        {
            return $"neither divides {config.NumKvHeads} key/value heads nor is a multiple of them";
        }

        return WhyNot(config, "the features of all attention heads", config.NumHeads * config.HeadDim, size)
            ?? WhyNot(config, "the features of all key/value heads", config.NumKvHeads * config.HeadDim, Math.Min(size, config.NumKvHeads))
            ?? (config.Latent is { } latent
                ? WhyNot(config, "the values of all attention heads", config.NumHeads * latent.ValueDim, size)
                : null)
            ?? (config.HasDenseLayers ? WhyNot(config, "intermediate_size", config.IntermediateSize, size) : null)
            ?? (config.Moe is { } moe ? WhyNot(config, "the intermediate size of an expert", moe.IntermediateSize, size) : null)
            ?? (config.Moe is { SharedIntermediateSize: var shared }
                ? WhyNot(config, "the intermediate size of shared experts", shared, size)
                : null);
    }

    private static string? WhyNot(ModelConfig config, string what, int features, int parts)
    {
        if (features % parts != 0)
        {
            return $"does not divide {what}, {features}";
        }

        return config.Quantization is { CutUnit: var unit, Method: var method } && features / parts % unit != 0
            ? $"would cut {what}, {features}, into parts of {features / parts}, but {method} packs them in {unit}s"
            : null;
    }
}
