using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>The text of a checkpoint that also understands images or sound: its configuration has the language model's in
/// <c>text_config</c>, its tensors are under <c>language_model.</c>; towers are left out.</summary>
internal sealed class Multimodal : Architecture
{
    private const string Nested = "text_config";

    /// <summary>What a language model's configuration inherits.</summary>
    private static readonly ImmutableArray<string> Inherited =
        ["dtype", "torch_dtype", "eos_token_id", "tie_word_embeddings", .. QuantizationMethods.ConfigFields];

    /// <summary>What every such checkpoint may have beside its language model, alone or under <c>model.</c>.</summary>
    private static readonly ImmutableArray<string> Towers =
    [
        "vision_tower.", "vision_model.", "visual.", "vision_encoder.", "vision_embed_tokens.", "vision_projection.", "vision_adapter.",
        "multi_modal_projector.", "mm_projector.", "patch_merger.", "pre_mm_projector_norm.", "embed_vision.", "image_newline",
        "audio_tower.", "audio_model.", "embed_audio.", "audio_projector.",
    ];

    private readonly ImmutableArray<(string ModelType, Architecture Text)> _texts;
    private readonly Architecture _text;

    /// <param name="texts">What <c>text_config</c> may call its model, and what that is; the first where it does not say.</param>
    public Multimodal(string name, params ImmutableArray<(string ModelType, Architecture Text)> texts)
        : this(name, texts, texts[0].Text)
    {
    }

    private Multimodal(string name, ImmutableArray<(string ModelType, Architecture Text)> texts, Architecture text)
    {
        Name = name;
        _texts = texts;
        _text = text;
    }

    public override string Name { get; }

    public override WeightNames WeightNames => _text.WeightNames.Renamed(Outer);

    public override WeightNames NamesIn(Predicate<string> has)
    {
        var names = _text.NamesIn(name => has(Outer(name)) || has(Inner(name)) || has(name));
        return new[] { names.Renamed(Outer), names.Renamed(Inner) }.FirstOrDefault(renamed => has(renamed.Embedding)) ?? names;
    }

    public override ConfigObject TextOf(ConfigObject json) => json.OptionalObject(Nested)?.Or(json, Inherited) ?? json;

    public override ModelConfig Read(ConfigObject json)
    {
        var named = json.OptionalString("model_type");
        var (_, text) = _texts.FirstOrDefault(text => named is null || text.ModelType == named);
        if (text is null)
        {
            throw json.Invalid(
                "model_type", $"is '{named}'; supported in {Name}: {string.Join(", ", _texts.Select(text => text.ModelType))}");
        }

        return text.Read(json) with { Architecture = new Multimodal(Name, _texts, text) };
    }

    public override ModelConfig Settle(ModelConfig config, ConfigObject json) =>
        json.Has(Nested) && json.Boolean("tie_word_embeddings", config.TieWordEmbeddings) != config.TieWordEmbeddings
            ? config with { TieWordEmbeddings = true, UntiedIfStored = true }
            : config;

    public override bool IsIgnorable(string tensor, ModelConfig config)
    {
        const string Prefix = "model.";
        var bare = tensor.StartsWith(Prefix, StringComparison.Ordinal) ? tensor[Prefix.Length..] : tensor;
        return Towers.Any(tower => bare.StartsWith(tower, StringComparison.Ordinal))
            || _text.IsIgnorable(
                tensor.Replace("model.language_model.", Prefix, StringComparison.Ordinal)
                    .Replace("language_model.", "", StringComparison.Ordinal),
                config);
    }

    private static string Outer(string name) => "language_model." + name;

    /// <summary>Since transformers 4.52 the output layer is the outer model's.</summary>
    private static string Inner(string name)
    {
        const string Prefix = "model.";
        return name.StartsWith(Prefix, StringComparison.Ordinal) ? Prefix + "language_model." + name[Prefix.Length..] : name;
    }
}
