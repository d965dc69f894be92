using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Quantization;

/// <summary>How a checkpoint stores its quantized layers: which they are, and which tensors make one. Read from <c>quantization_config</c>
/// by <see cref="ModelConfig"/>; asked by <see cref="WeightLoader"/> for every linear layer. Layouts are those that vLLM reads.</summary>
internal abstract class QuantizationScheme
{
    /// <summary>As <c>quant_method</c> and <c>--quantization</c> spell it.</summary>
    public abstract string Method { get; }

    /// <summary>For the start log: method, bits and groups.</summary>
    public abstract string Description { get; }

    /// <summary>Ends the name of a tensor that quantized layers have and others do not: some are left as they were without the
    /// configuration saying so.</summary>
    public abstract string MarkerSuffix { get; }

    /// <summary>Reads <c>quantization_config</c> of config.json, or where else <see cref="QuantizationMethods"/> says; null when the
    /// checkpoint is not quantized.</summary>
    /// <param name="json">config.json.</param>
    /// <param name="folder">Where files may lie that say what config.json does not; null for nowhere.</param>
    /// <exception cref="ModelConfigException">The method, or something about it, is not supported.</exception>
    public static QuantizationScheme? Find(ConfigObject json, string? folder = null)
    {
        foreach (var field in QuantizationMethods.ConfigFields)
        {
            if (json.OptionalObject(field) is { } config)
            {
                return Of(config, field);
            }
        }

        foreach (var file in folder is null ? [] : QuantizationMethods.Files)
        {
            var path = Path.Combine(folder!, file);
            if (RegularFile.IsThere(path))
            {
                return Of(ConfigObject.Load(path), file);
            }
        }

        return null;
    }

    private static QuantizationScheme Of(ConfigObject config, string place) =>
        (config.OptionalString(QuantizationMethods.MethodField) ?? QuantizationMethods.Implied(place, config.Has)) switch
        {
            QuantizationMethods.Fp8 => Fp8Scheme.Of(config),
            QuantizationMethods.FbgemmFp8 => Fp8Scheme.OfFbgemm(config),
            QuantizationMethods.CompressedTensors => CompressedTensorsScheme.Of(config),
            QuantizationMethods.Gptq => GptqScheme.Of(config),
            QuantizationMethods.Awq => AwqScheme.Of(config),
            QuantizationMethods.SqueezeLlm => SqueezeLlmScheme.Of(config),
            QuantizationMethods.Quark => QuarkScheme.Of(config),
            QuantizationMethods.Gguf => GgufScheme.Of(config),
            QuantizationMethods.Mxfp4 => Mxfp4Scheme.Of(config),
            var method => throw config.Invalid(
                QuantizationMethods.MethodField, $"is '{method}'; supported: {string.Join(", ", QuantizationMethods.All)}"),
        };

    /// <summary>Refuses a checkpoint that is not quantized the way somebody asked for, and cannot be.</summary>
    /// <param name="requested"><c>auto</c> takes whatever there is.</param>
    /// <exception cref="ArgumentException">It is quantized differently, or not at all.</exception>
    public static void Require(string requested, QuantizationScheme? found)
    {
        var method = found?.Method ?? "none";
        if (requested != "auto" && requested != method && WeightRounding.Of(requested, found) is null)
        {
            throw new ArgumentException(
                $"quantization {requested} was asked for, but the checkpoint is "
                + (found is null
                    ? $"not quantized; use auto, none, or {string.Join(" or ", QuantizationMethods.AtLoad)}, which round its weights"
                    : $"quantized by {method}; use auto or {method}"));
        }
    }

    /// <summary>Inputs or outputs that one word of codes holds: ranks share a layer in multiples of so many.</summary>
    public virtual int CutUnit => 1;

    /// <summary>The same where inputs stay floats, whatever the configuration says: for comparisons of weights.</summary>
    public virtual QuantizationScheme WithFloatInputs() => this;

    /// <summary>Whether the configuration says that a layer is quantized.</summary>
    /// <param name="layer">Name without <c>.weight</c>.</param>
    public abstract bool Quantizes(string layer);

    /// <summary>Collects and checks the tensors of a layer.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public abstract QuantizedMatrix Read(LayerTensors layer);

    /// <summary>Tensors that such checkpoints carry and this engine does not need.</summary>
    public virtual bool IsIgnorable(string tensor) => false;
}
