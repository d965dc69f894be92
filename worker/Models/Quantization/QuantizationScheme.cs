using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Quantization;

/// <summary>How a checkpoint stores its quantized layers: which they are, and which tensors make one. Read from <c>quantization_config</c>
/// by <see cref="ModelConfig"/>; asked by <see cref="WeightLoader"/> for every linear layer. Layouts are those that vLLM reads.</summary>
internal abstract class QuantizationScheme
{
    private const string Supported = "fp8, compressed-tensors, gptq, awq, squeezellm";

    /// <summary>As <c>quant_method</c> and <c>--quantization</c> spell it.</summary>
    public abstract string Method { get; }

    /// <summary>For the start log: method, bits and groups.</summary>
    public abstract string Description { get; }

    /// <summary>Ends the name of a tensor that quantized layers have and others do not: some are left as they were without the
    /// configuration saying so.</summary>
    public abstract string MarkerSuffix { get; }

    /// <summary>Reads <c>quantization_config</c>; null when the checkpoint is not quantized.</summary>
    /// <exception cref="ModelConfigException">The method, or something about it, is not supported.</exception>
    public static QuantizationScheme? Find(ConfigObject json)
    {
        if (json.OptionalObject("quantization_config") is not { } config)
        {
            return null;
        }

        return config.OptionalString("quant_method") switch
        {
            "fp8" => Fp8Scheme.Of(config),
            "compressed-tensors" => CompressedTensorsScheme.Of(config),
            "gptq" => GptqScheme.Of(config),
            "awq" => AwqScheme.Of(config),
            "squeezellm" => SqueezeLlmScheme.Of(config),
            var method => throw config.Invalid("quant_method", $"is '{method}'; supported: {Supported}"),
        };
    }

    /// <summary>Refuses a checkpoint that is not quantized the way somebody asked for.</summary>
    /// <param name="requested"><c>auto</c> takes whatever there is.</param>
    /// <exception cref="ArgumentException">It is quantized differently, or not at all.</exception>
    public static void Require(string requested, QuantizationScheme? found)
    {
        var method = found?.Method ?? "none";
        if (requested != "auto" && requested != method)
        {
            throw new ArgumentException(
                $"quantization {requested} was asked for, but the checkpoint is "
                + $"{(found is null ? "not quantized" : $"quantized by {method}")}; use auto or {method}");
        }
    }

    /// <summary>Inputs or outputs that one word of codes holds: ranks share a layer in multiples of so many.</summary>
    public virtual int CutUnit => 1;

    /// <summary>Whether the configuration says that a layer is quantized.</summary>
    /// <param name="layer">Name without <c>.weight</c>.</param>
    public abstract bool Quantizes(string layer);

    /// <summary>Collects and checks the tensors of a layer.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public abstract QuantizedMatrix Read(LayerTensors layer);

    /// <summary>Tensors that such checkpoints carry and this engine does not need.</summary>
    public virtual bool IsIgnorable(string tensor) => false;
}
