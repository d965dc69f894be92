using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>What a <c>model_type</c> says that config.json does not: names and defaults of its fields, and which weights there are. The
/// defaults are those of transformers' configuration classes. One of <see cref="ModelFamilies"/>.</summary>
internal sealed record ModelFamily
{
    /// <summary>By a field's usual name, what this family calls it; the first that is there counts.</summary>
    public IReadOnlyDictionary<string, string[]> Aliases { get; init; } = ImmutableDictionary<string, string[]>.Empty;

    /// <summary>By a field's usual name, what it is where config.json leaves it out.</summary>
    public IReadOnlyDictionary<string, int> Defaults { get; init; } = ImmutableDictionary<string, int>.Empty;

    /// <summary>Times the hidden size: the MLP's width where config.json leaves it out.</summary>
    public int? IntermediateRatio { get; init; }

    /// <summary>The field that has the width of the MLPs without experts.</summary>
    public string DenseIntermediate { get; init; } = "intermediate_size";

    public Func<ModelFields, int?> KvHeads { get; init; } = f => f.Optional(1, ModelFields.MostHeads, "num_key_value_heads");

    /// <summary>Norms of a layer as wide as its hidden states.</summary>
    public Func<ModelFields, int> Norms { get; init; } = _ => 2;

    /// <summary>Each norm has a bias (LayerNorm).</summary>
    public bool NormBias { get; init; }

    /// <summary>Embeddings are normalized.</summary>
    public bool EmbeddingNorm { get; init; }

    public QueryKeyNorms QueryKeyNorm { get; init; }

    /// <summary>Whether the queries' and keys' norms are there.</summary>
    public Func<ModelFields, bool> HasQueryKeyNorm { get; init; } = Always;

    public Func<ModelFields, bool> QkvBias { get; init; } = Never;

    public Func<ModelFields, bool> AttentionOutputBias { get; init; } = Never;

    public Func<ModelFields, bool> MlpBias { get; init; } = Never;

    public Func<ModelFields, bool> HeadBias { get; init; } = Never;

    public bool GatedMlp { get; init; } = true;

    public bool TiedByDefault { get; init; }

    /// <summary>Values of a layer beside all these: attention sinks, parameters of activations.</summary>
    public Func<int, int> LayerExtras { get; init; } = _ => 0;

    /// <summary>Rows of the table of learned positions.</summary>
    public Func<int, int> LearnedPositions { get; init; } = _ => 0;

    public Func<ModelFields, int, ExpertShape?> Experts { get; init; } = (_, _) => null;

    /// <summary>Of each layer, see <see cref="ModelShape.Windows"/>.</summary>
    public Func<ModelFields, int, ImmutableArray<int>> Windows { get; init; } = (_, _) => [];

    /// <summary>Attention compresses keys and values, see <see cref="LatentShape"/>.</summary>
    public bool Latent { get; init; }

    /// <summary>Names of the parts of a layer, for lists of those that are not quantized.</summary>
    public LayerNames Names { get; init; } = new();

    public static bool Always(ModelFields fields) => true;

    public static bool Never(ModelFields fields) => false;

    /// <summary>What a field of config.json says.</summary>
    public static Func<ModelFields, bool> Bias(string field, bool fallback = false) => fields => fields.Flag(field, fallback);
}
