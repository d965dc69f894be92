using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Architectures;

/// <summary>One model architecture: what its config.json means and what its weights are called. The parts themselves — norms, attention,
/// MLP — are <see cref="Transformer"/>'s, chosen by the switches of <see cref="ModelConfig"/>.</summary>
internal abstract class Architecture
{
    private static readonly Architecture[] Supported =
    [
        new Llama(), new Yi(), new Mistral(), new Mixtral(), new Qwen2(), new Qwen3(), new Qwen3Moe(), new Gemma2(), new Phi(), new Bloom(),
        new Opt(), new Gemma(), new Gemma3(), new Phi3(), new Glm4(), new Olmo2(), new Olmo3(), new Granite(), new Cohere(), new Cohere2(),
        new SmolLm3(), new Starcoder2(), new Falcon(), new GptNeoX(), new GptJ(), new Gpt2(), new GptBigCode(), new StableLm(),
        new Ernie45(), new Exaone4(), new SeedOss(), new HunYuanDense(), new Nemotron(), new Arcee(), new Ministral3(), new Mpt(),
        new Apertus(), new Qwen2Moe(), new Olmoe(), new GraniteMoe(), new Phimoe(), new Glm4Moe(), new Dots1(), new Ernie45Moe(),
        new MinimaxM2(), new GptOss(), new Llama4(), new DeepseekV2(), new DeepseekV3(),
        new Multimodal("Llama4ForConditionalGeneration", ("llama4_text", new Llama4())),
        new Multimodal("Gemma3ForConditionalGeneration", ("gemma3_text", new Gemma3())),
        new Multimodal("Mistral3ForConditionalGeneration", ("mistral", new Mistral()), ("ministral3", new Ministral3())),
        new Multimodal(
            "Qwen2_5_VLForConditionalGeneration", ("qwen2_5_vl_text", new Qwen2 { HasImagePositions = true }),
            ("qwen2_5_vl", new Qwen2 { HasImagePositions = true })),
    ];

    private static readonly string[] RotaryTables = ["rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"];

    private static readonly string[] PredictionPrefixes = ["mtp.", "model.mtp."];

    private static readonly string[] CausalMasks = [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias"];

    /// <summary>As <c>architectures</c> in config.json spells it.</summary>
    public abstract string Name { get; }

    /// <summary>Other spellings of <see cref="Name"/> in checkpoints of before transformers had the architecture.</summary>
    public virtual IReadOnlyList<string> Aliases => [];

    public abstract WeightNames WeightNames { get; }

    /// <summary>The names that a checkpoint uses, where there is more than one custom.</summary>
    /// <param name="has">Whether the checkpoint has a tensor of a name.</param>
    public virtual WeightNames NamesIn(Predicate<string> has) => WeightNames;

    /// <summary>The architecture that a configuration names.</summary>
    /// <exception cref="ModelConfigException">It names none, or one that is not supported.</exception>
    public static Architecture Of(ConfigObject json)
    {
        var named = json.Strings("architectures");
        if (named.IsEmpty)
        {
            throw json.Invalid("architectures", $"is missing; supported: {SupportedNames()}");
        }

        return Array.Find(Supported, architecture => architecture.Name == named[0] || architecture.Aliases.Contains(named[0]))
            ?? throw json.Invalid("architectures", $"names {named[0]}; supported: {SupportedNames()}");
    }

    /// <summary>The part of a configuration that <see cref="Read"/> reads.</summary>
    public virtual ConfigObject TextOf(ConfigObject json) => json;

    /// <summary>Completes what <see cref="Read"/> read by what the whole configuration says beside.</summary>
    public virtual ModelConfig Settle(ModelConfig config, ConfigObject json) => config;

    /// <summary>Sizes and switches; end-of-sequence tokens are added by <see cref="ModelConfig.Load"/>.</summary>
    /// <exception cref="ModelConfigException">A field is missing, of the wrong type, or out of range.</exception>
    public abstract ModelConfig Read(ConfigObject json);

    /// <summary>Tensors that checkpoints of this architecture carry and no computation needs. Older versions of transformers saved the
    /// tables of rotary positions, which follow from the configuration; layers that predict further tokens (MTP) come after the
    /// last.</summary>
    public virtual bool IsIgnorable(string tensor, ModelConfig config) =>
        RotaryTables.Any(table => tensor == table || tensor.EndsWith("." + table, StringComparison.Ordinal))
        || (config.TieWordEmbeddings && tensor == WeightNames.Output + ".weight")
        || PredictionPrefixes.Any(prefix => tensor.StartsWith(prefix, StringComparison.Ordinal))
        || Enumerable.Range(config.NumLayers, config.PredictionLayers)
            .Any(layer => tensor.StartsWith(WeightNames.InLayer(layer, ""), StringComparison.Ordinal));

    /// <summary>Whether a tensor is a triangle of ones, or what masked scores become: older versions of transformers saved both.</summary>
    protected static bool IsCausalMask(string tensor) =>
        CausalMasks.Any(mask => tensor.EndsWith(mask, StringComparison.Ordinal));

    private static string SupportedNames() => string.Join(", ", Supported.Select(architecture => architecture.Name));
}
