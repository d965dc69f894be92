using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Models.Config;

/// <summary>What a decoder-only model is made of: the sizes and switches that <see cref="Transformer"/> is built by. Every value has been
/// checked. Made by <see cref="Load"/> from a checkpoint folder or by <see cref="SyntheticModel"/>.</summary>
internal sealed record ModelConfig
{
    internal const int MaxLayers = 1024;
    private const int MaxHeads = 4096;
    private const int MaxHeadDim = 1024;
    internal const int MaxFeatures = 1 << 20;
    private const int MaxVocabulary = 1 << 22;
    private const int MaxPositions = 1 << 27;

    /// <summary>Chooses weight names; the value of <c>architectures</c> is its name.</summary>
    public required Architecture Architecture { get; init; }

    public required int VocabSize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int NumLayers { get; init; }

    /// <summary>Query heads.</summary>
    public required int NumHeads { get; init; }

    /// <summary>Key/value heads; divides <see cref="NumHeads"/>.</summary>
    public required int NumKvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required float NormEpsilon { get; init; }

    public required Activation Activation { get; init; }

    /// <summary>The output matrix is the embedding table.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Positions the configuration states.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>Null where positions are not encoded by rotation.</summary>
    public required RopeParameters? Rope { get; init; }

    /// <summary>Of layers with a sliding window, where they have another.</summary>
    public RopeParameters? SlidingRope { get; init; }

    /// <summary>Layers without rotation in a model that has it in others.</summary>
    public ImmutableArray<int> UnrotatedLayers { get; init; } = [];

    /// <summary><see cref="MaxPositionEmbeddings"/> is the longest context already, whatever frequencies are scaled by.</summary>
    public bool StatesScaledLength { get; init; }

    public NormKind Norm { get; init; } = NormKind.Rms;

    /// <summary>What norms add to the weights that are stored (Gemma stores weight - 1).</summary>
    public float NormWeightOffset { get; init; }

    /// <summary>Where a layer normalizes, and what it adds to what.</summary>
    public LayerWiring Wiring { get; init; }

    /// <summary>Multiplies outputs of attention and MLP before they are added.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>Multiplies logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>A tied output layer is one of its own after all if the checkpoint has it: outer and inner configuration
    /// disagree.</summary>
    public bool UntiedIfStored { get; init; }

    /// <summary>Layers after the last that only predict further tokens (MTP); not loaded.</summary>
    public int PredictionLayers { get; init; }

    /// <summary>Multiplies embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>Embeddings are normalized.</summary>
    public bool EmbeddingNorm { get; init; }

    /// <summary>Positions are learned and added to embeddings; the table's first rows, as many as this, belong to no position.</summary>
    public int? LearnedPositionOffset { get; init; }

    /// <summary>Scores fall with distance (ALiBi), see <see cref="PositionEncoding"/>.</summary>
    public bool Alibi { get; init; }

    /// <summary>Exponent of ALiBi's last slope: 2 to the minus this.</summary>
    public float AlibiExponent { get; init; } = 8;

    /// <summary>Multiplies ALiBi's slopes.</summary>
    public float AlibiScale { get; init; } = 1;

    /// <summary>How query and key heads are normalized.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>How q, k and v are stored.</summary>
    public QkvLayout QkvLayout { get; init; }

    /// <summary>The linear layers of attention and MLP are stored as <c>[in, out]</c>: GPT-2's Conv1D.</summary>
    public bool TransposedLayers { get; init; }

    /// <summary>Multiplies q·k; 1/√headDim unless set.</summary>
    public float AttentionScale
    {
        get => field != 0 ? field : 1 / MathF.Sqrt(HeadDim);
        init;
    }

    /// <summary>How queries grow by position; null where they do not.</summary>
    public QueryScale? QueryScale { get; init; }

    /// <summary>cap · tanh(score / cap) in attention; 0 means none.</summary>
    public float AttentionSoftCap { get; init; }

    /// <summary>The same for logits.</summary>
    public float LogitSoftCap { get; init; }

    /// <summary>Of each layer, see <see cref="Cluster.Worker.Models.Config.SlidingWindows.Read"/>; empty where no layer slides.</summary>
    public ImmutableArray<int> SlidingWindows { get; init; } = [];

    /// <summary>Null where heads have keys and values of their own.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>Positions of a chunk in each layer, whose queries see no key before their own chunk (Llama 4); 0 where they see all.
    /// Empty where all layers do.</summary>
    public ImmutableArray<int> AttentionChunks { get; init; } = [];

    /// <summary>Every head has a logit of its own that no key has and only the softmax's sum knows (gpt-oss).</summary>
    public bool AttentionSinks { get; init; }

    /// <summary>The MLP multiplies two projections; otherwise it has one.</summary>
    public bool GatedMlp { get; init; } = true;

    /// <summary>The MLP's non-linearity is xIELU, whose scalars each layer has of its own; <see cref="Activation"/> is not asked.</summary>
    public bool Xielu { get; init; }

    /// <summary>Null where no layer has experts.</summary>
    public MoeConfig? Moe { get; init; }

    /// <summary>q, k and v projections have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The attention's output projection has a bias.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>The MLP's projections have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>The output layer has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Type the weights were trained in; null when the checkpoint does not say.</summary>
    public DType? DType { get; init; }

    /// <summary>How linear layers are quantized; null when they are not.</summary>
    public QuantizationScheme? Quantization { get; init; }

    /// <summary>Tokens that end a sequence: those of config.json and generation_config.json, ascending.</summary>
    public ImmutableArray<int> EosTokenIds { get; init; } = [];

    /// <summary>Longest sequence the model is made for, scaling of rotary frequencies included.</summary>
    public int MaxLength => StatesScaledLength ? MaxPositionEmbeddings : Rope?.MaxLength(MaxPositionEmbeddings) ?? MaxPositionEmbeddings;

    /// <summary>Columns of the fused q, k, v projection; of queries alone where attention is latent.</summary>
    public int QkvSize => (NumHeads + (Latent is null ? 2 * NumKvHeads : 0)) * HeadDim;

    /// <summary>Columns of the attention's output before its projection.</summary>
    public int AttentionSize => NumHeads * (Latent?.ValueDim ?? HeadDim);

    /// <summary>Some layer has an MLP without experts.</summary>
    public bool HasDenseLayers => Moe is null || !Enumerable.Range(0, NumLayers).All(Moe.HasExperts);

    /// <summary>Positions that a layer's queries see, their own included; 0 means all.</summary>
    public int SlidingWindow(int layer) => SlidingWindows.IsEmpty ? 0 : SlidingWindows[layer];

    /// <summary>Positions of a layer's chunks; 0 means that there are none.</summary>
    public int AttentionChunk(int layer) => AttentionChunks.IsEmpty ? 0 : AttentionChunks[layer];

    /// <summary>How a layer rotates queries and keys; null where it does not.</summary>
    public RopeParameters? RopeOf(int layer)
    {
        if (UnrotatedLayers.Contains(layer))
        {
            return null;
        }

        return SlidingWindow(layer) > 0 ? SlidingRope ?? Rope : Rope;
    }

    /// <summary>The model with constants that are no weights rounded to a type: rotary frequencies and the embedding's scale, which
    /// transformers keeps in buffers that <c>model.to(bfloat16)</c> casts with the weights, and <c>from_pretrained</c> does not. ALiBi's
    /// slopes are computed anew in each pass.</summary>
    public ModelConfig WithConstantsRoundedTo(DType type) => this with
    {
        Rope = Rope is null ? null : Rope with { FrequencyDType = type },
        SlidingRope = SlidingRope is null ? null : SlidingRope with { FrequencyDType = type },
        EmbeddingScale = type == Compute.DType.BF16 ? BFloat16.Round(EmbeddingScale) : EmbeddingScale,
    };

    /// <summary>Reads <c>config.json</c> and, where there is one, <c>generation_config.json</c>.</summary>
    /// <exception cref="ModelConfigException">A file, field or value is missing, wrong or not supported.</exception>
    public static ModelConfig Load(string folder)
    {
        var json = ConfigObject.Load(Path.Combine(folder, "config.json"));
        var architecture = Architecture.Of(json);
        var text = architecture.TextOf(json);
        var config = architecture.Settle(architecture.Read(text), json);
        var generation = Path.Combine(folder, "generation_config.json");
        var eos = text.TokenIds("eos_token_id");
        if (RegularFile.IsThere(generation))
        {
            eos = eos.AddRange(ConfigObject.Load(generation).TokenIds("eos_token_id"));
        }

        return config with { EosTokenIds = [.. eos.Distinct().Order()], Quantization = QuantizationScheme.Find(text, folder) };
    }

    /// <summary>The fields that all architectures have; where one spells them otherwise, <see cref="ConfigObject.WithAliases"/> says how.
    /// Called by the architectures, which add their switches.</summary>
    /// <exception cref="ModelConfigException">A field is missing, of the wrong type, or out of range.</exception>
    public static ModelConfig ReadCommonFields(Architecture architecture, ConfigObject json, ConfigDefaults defaults)
    {
        var hidden = json.Integer("hidden_size", 1, MaxFeatures);
        var heads = json.Integer("num_attention_heads", 1, MaxHeads);
        var kvHeads = json.OptionalInteger("num_key_value_heads", 1, MaxHeads) ?? heads;
        if (heads % kvHeads != 0)
        {
            throw json.Invalid("num_attention_heads", $"is {heads}; it must be a multiple of num_key_value_heads {kvHeads}");
        }

        var headDim = json.OptionalInteger("head_dim", 1, MaxHeadDim);
        if (headDim is null && hidden % heads != 0)
        {
            throw json.Invalid("hidden_size", $"is {hidden}; without head_dim it must be a multiple of num_attention_heads {heads}");
        }

        headDim ??= hidden / heads;
        var positions = json.OptionalInteger("max_position_embeddings", 1, MaxPositions)
            ?? defaults.MaxPositionEmbeddings
            ?? json.Integer("max_position_embeddings", 1, MaxPositions);
        return new ModelConfig
        {
            Architecture = architecture,
            VocabSize = json.Integer("vocab_size", 1, MaxVocabulary),
            HiddenSize = hidden,
            IntermediateSize = json.OptionalInteger("intermediate_size", 1, MaxFeatures)
                ?? defaults.IntermediateRatio * hidden
                ?? json.Integer("intermediate_size", 1, MaxFeatures),
            NumLayers = json.Integer("num_hidden_layers", 1, MaxLayers),
            NumHeads = heads,
            NumKvHeads = kvHeads,
            HeadDim = headDim.Value,
            NormEpsilon = (float)(json.OptionalPositive("rms_norm_eps", 1) ?? defaults.NormEpsilon),
            Activation = ReadActivation(json, defaults.ActivationField) ?? defaults.Activation,
            TieWordEmbeddings = json.Boolean("tie_word_embeddings", defaults.TieWordEmbeddings),
            MaxPositionEmbeddings = positions,
            Rope = defaults.Rotary ? RopeParameters.Read(json, headDim.Value, positions, defaults) : null,
            PredictionLayers = json.OptionalInteger("num_nextn_predict_layers", 0, MaxLayers) ?? 0,
            DType = ReadDType(json),
        };
    }

    private static Activation? ReadActivation(ConfigObject json, string? field) => field is null ? null : json.OptionalString(field) switch
    {
        null => null,
        "silu" or "swish" => Compute.Activation.Silu,
        "gelu" => Compute.Activation.Gelu,
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => Compute.Activation.GeluTanh,
        "relu" => Compute.Activation.Relu,
        "relu2" => Compute.Activation.Relu2,
        var name => throw json.Invalid(
            field, $"is '{name}'; supported: silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, relu2"),
    };

    private static DType? ReadDType(ConfigObject json)
    {
        var field = json.Has("dtype") ? "dtype" : "torch_dtype";
        return json.OptionalString(field) switch
        {
            null or "auto" => null,
            var name => DTypes.OfName(name)
                ?? throw json.Invalid(field, $"is '{name}'; supported: bfloat16, float16, float32"),
        };
    }
}
