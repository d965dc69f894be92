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
        new Opt(),
    ];

    private static readonly string[] RotaryTables = ["rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"];

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

    /// <summary>Sizes and switches; end-of-sequence tokens are added by <see cref="ModelConfig.Load"/>.</summary>
    /// <exception cref="ModelConfigException">A field is missing, of the wrong type, or out of range.</exception>
    public abstract ModelConfig Read(ConfigObject json);

    /// <summary>Tensors that checkpoints of this architecture carry and no computation needs. Older versions of transformers saved the
    /// tables of rotary positions, which follow from the configuration.</summary>
    public virtual bool IsIgnorable(string tensor, ModelConfig config) =>
        RotaryTables.Any(table => tensor == table || tensor.EndsWith("." + table, StringComparison.Ordinal))
        || (config.TieWordEmbeddings && tensor == WeightNames.Output + ".weight");

    private static string SupportedNames() => string.Join(", ", Supported.Select(architecture => architecture.Name));
}
