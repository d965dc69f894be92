using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: fp8</c>, as AutoFP8 and vLLM write it: E4M3 weights with a scale for each tensor.</summary>
/// <param name="isStatic">Inputs have a calibrated scale (<c>activation_scheme: static</c>).</param>
internal sealed class Fp8Scheme(bool isStatic, LayerPatterns ignored, LayerPatterns notConverted) : QuantizationScheme
{
    public override string Method => "fp8";

    public override string Description => "fp8 E4M3 weights";

    public override string MarkerSuffix => Fp8Layout.ScaleSuffix;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static Fp8Scheme Of(ConfigObject config)
    {
        if (config.Has("weight_block_size"))
        {
            throw config.Invalid(
                "weight_block_size", "asks for one scale per block of a weight; supported: one scale per tensor or per output");
        }

        var isStatic = config.OptionalString("activation_scheme") switch
        {
            "static" => true,
            "dynamic" => false,
            var name => throw config.Invalid("activation_scheme", $"is '{name}'; supported: static, dynamic"),
        };
        return new Fp8Scheme(isStatic, LayerPatterns.Read(config, "ignored_layers"), LayerPatterns.Read(config, "modules_to_not_convert"));
    }

    public override bool Quantizes(string layer) => !ignored.Contains(layer) && !notConverted.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer) => Fp8Layout.Read(layer, isStatic);

    /// <summary>Scales for a quantized cache: keys and values are stored unscaled, which the range of a floating-point type
    /// allows.</summary>
    public override bool IsIgnorable(string tensor) => IsCacheScale(tensor);

    public static bool IsCacheScale(string tensor) =>
        tensor.EndsWith(".k_scale", StringComparison.Ordinal)
            || tensor.EndsWith(".v_scale", StringComparison.Ordinal)
            || tensor.EndsWith(".kv_scale", StringComparison.Ordinal);
}
