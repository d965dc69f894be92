using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: fp8</c>, as AutoFP8 and vLLM write it: E4M3 weights with a scale for each tensor; with
/// <c>weight_block_size</c>, as DeepSeek publishes them, for each block. <c>fbgemm_fp8</c> has a scale for each output.</summary>
/// <param name="isStatic">Inputs have a calibrated scale (<c>activation_scheme: static</c>).</param>
/// <param name="blocks">Null where scales are not for blocks.</param>
internal sealed class Fp8Scheme(
    string method, bool isStatic, ScaleBlocks? blocks, LayerPatterns ignored, LayerPatterns notConverted) : QuantizationScheme
{
    private const string BlockScaleSuffix = ".weight_scale_inv";
    private const string Ignored = "ignored_layers";
    private const string NotConverted = "modules_to_not_convert";

    public override string Method => method;

    public override string Description => $"{method} E4M3 weights{(blocks is null ? "" : $" in blocks of {blocks}")}";

    public override string MarkerSuffix => blocks is null ? Fp8Layout.ScaleSuffix : BlockScaleSuffix;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static Fp8Scheme Of(ConfigObject config)
    {
        if (config.OptionalString("fmt") is { } format and not ("e4m3" or "float8_e4m3fn"))
        {
            throw config.Invalid("fmt", $"is '{format}'; supported: e4m3");
        }

        var isStatic = config.OptionalString("activation_scheme") switch
        {
            "static" => true,
            "dynamic" => false,
            var name => throw config.Invalid("activation_scheme", $"is '{name}'; supported: static, dynamic"),
        };
        return new Fp8Scheme(
            QuantizationMethods.Fp8,
            isStatic,
            config.Has("weight_block_size") ? ScaleBlocks.Read(config, "weight_block_size") : null,
            LayerPatterns.Read(config, Ignored),
            LayerPatterns.Read(config, NotConverted));
    }

    /// <summary>FBGEMM's form. Its inputs are quantized token by token below an upper bound (<c>activation_scale_ub</c>); this engine
    /// leaves inputs in F32, so the bound is not needed.</summary>
    /// <exception cref="ModelConfigException">A field is wrong.</exception>
    public static Fp8Scheme OfFbgemm(ConfigObject config)
    {
        _ = config.OptionalPositive("activation_scale_ub", float.MaxValue);
        return new Fp8Scheme(
            QuantizationMethods.FbgemmFp8,
            isStatic: false,
            blocks: null,
            LayerPatterns.Read(config, Ignored),
            LayerPatterns.Read(config, NotConverted));
    }

    public override bool Quantizes(string layer) => !ignored.Contains(layer) && !notConverted.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer) => blocks is null
        ? Fp8Layout.Read(layer, isStatic)
        : Fp8Layout.ReadBlocks(layer, BlockScaleSuffix, blocks, isStatic);

    /// <summary>Upper bounds of inputs, which are not quantized here.</summary>
    public override bool IsIgnorable(string tensor) => tensor.EndsWith(".input_scale_ub", StringComparison.Ordinal);
}
