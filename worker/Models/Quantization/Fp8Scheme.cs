using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: fp8</c>, as AutoFP8 and vLLM write it: E4M3 weights with a scale for each tensor. <c>fbgemm_fp8</c> is the
/// same with a scale for each output.</summary>
/// <param name="isStatic">Inputs have a calibrated scale (<c>activation_scheme: static</c>).</param>
internal sealed class Fp8Scheme(string method, bool isStatic, LayerPatterns ignored, LayerPatterns notConverted) : QuantizationScheme
{
    private const string Ignored = "ignored_layers";
    private const string NotConverted = "modules_to_not_convert";

    public override string Method => method;

    public override string Description => $"{method} E4M3 weights";

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
        return new Fp8Scheme(
            QuantizationMethods.Fp8, isStatic, LayerPatterns.Read(config, Ignored), LayerPatterns.Read(config, NotConverted));
    }

    /// <summary>FBGEMM's form. Its inputs are quantized token by token below an upper bound (<c>activation_scale_ub</c>); this engine
    /// leaves inputs in F32, so the bound is not needed.</summary>
    /// <exception cref="ModelConfigException">A field is wrong.</exception>
    public static Fp8Scheme OfFbgemm(ConfigObject config)
    {
        _ = config.OptionalPositive("activation_scale_ub", float.MaxValue);
        return new Fp8Scheme(
            QuantizationMethods.FbgemmFp8, isStatic: false, LayerPatterns.Read(config, Ignored), LayerPatterns.Read(config, NotConverted));
    }

    public override bool Quantizes(string layer) => !ignored.Contains(layer) && !notConverted.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer) => Fp8Layout.Read(layer, isStatic);

    /// <summary>Scales for a quantized cache: keys and values are stored unscaled, which the range of a floating-point type
    /// allows.</summary>
    public override bool IsIgnorable(string tensor) =>
        IsCacheScale(tensor) || tensor.EndsWith(".input_scale_ub", StringComparison.Ordinal);

    public static bool IsCacheScale(string tensor) =>
        tensor.EndsWith(".k_scale", StringComparison.Ordinal)
            || tensor.EndsWith(".v_scale", StringComparison.Ordinal)
            || tensor.EndsWith(".kv_scale", StringComparison.Ordinal);
}
