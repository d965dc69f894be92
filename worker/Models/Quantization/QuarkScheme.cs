using System.Collections.Immutable;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: quark</c>, as AMD's quantizer writes it, with E4M3 weights: <c>amd/*-FP8-KV</c>. Layers have the tensors of
/// <see cref="Fp8Layout"/>, key and value projections a scale for the FP8 cache besides.</summary>
/// <param name="layers">Settings of layers that have their own, by pattern, and then of all others.</param>
internal sealed class QuarkScheme(
    ImmutableArray<(LayerPatterns Layers, QuarkScheme.LayerSettings Settings)> layers, QuarkScheme.LayerSettings common,
    LayerPatterns excluded) : QuantizationScheme
{
    private const string OutputScaleSuffix = ".output_scale";

    public override string Method => QuantizationMethods.Quark;

    public override string Description => "quark, fp8 E4M3 weights";

    public override string MarkerSuffix => Fp8Layout.ScaleSuffix;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static QuarkScheme Of(ConfigObject config)
    {
        config.OptionalObject("export")?.RequireOneOf("weight_format", "real_quantized");
        if (config.OptionalObject("layer_type_quant_config") is { IsEmpty: false })
        {
            throw config.Invalid("layer_type_quant_config", "has settings by type of layer; supported: by name, in layer_quant_config");
        }

        var common = config.OptionalObject("global_quant_config") ?? throw config.Invalid("global_quant_config", "is missing");
        var layers = config.OptionalObject("layer_quant_config");
        return new QuarkScheme(
            [.. (layers?.Names ?? []).Select(name => (LayerPatterns.Of(name), LayerSettings.Read(layers!.OptionalObject(name)!)))],
            LayerSettings.Read(common),
            LayerPatterns.Read(config, "exclude"));
    }

    public override bool Quantizes(string layer) => !excluded.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        var settings = SettingsOf(layer.Name);
        if (settings.HasOutputScale || layer.Has(OutputScaleSuffix))
        {
            _ = Fp8Layout.CheckedScale(layer, OutputScaleSuffix);
        }

        return Fp8Layout.Read(layer, settings.HasInputScale);
    }

    /// <summary>Scales of queries and of attention's weights, which are not quantized here.</summary>
    public override bool IsIgnorable(string tensor) =>
        tensor.EndsWith(".q_scale", StringComparison.Ordinal)
            || tensor.EndsWith(".prob_output_scale", StringComparison.Ordinal);

    private LayerSettings SettingsOf(string layer) =>
        layers.FirstOrDefault(entry => entry.Layers.Contains(layer)) is { Settings: { } own } ? own : common;

    /// <summary>How a layer is quantized.</summary>
    /// <param name="HasInputScale">Inputs have a calibrated scale.</param>
    /// <param name="HasOutputScale">Outputs have one: those of keys and values, that the cache is to keep.</param>
    internal sealed record LayerSettings(bool HasInputScale, bool HasOutputScale)
    {
        /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
        public static LayerSettings Read(ConfigObject config)
        {
            var weight = config.OptionalObject("weight") ?? throw config.Invalid("weight", "is missing");
            Check(weight, dynamic: false);
            if (config.OptionalObject("bias") is not null)
            {
                throw config.Invalid("bias", "is quantized; supported: biases as they were");
            }

            return new LayerSettings(IsStatic(config.OptionalObject("input_tensors")), IsStatic(config.OptionalObject("output_tensors")));
        }

        private static bool IsStatic(ConfigObject? tensors)
        {
            if (tensors is null)
            {
                return false;
            }

            Check(tensors, dynamic: true);
            return !tensors.Boolean("is_dynamic", false);
        }

        private static void Check(ConfigObject tensor, bool dynamic)
        {
            var (dtype, scheme) = (tensor.OptionalString("dtype"), tensor.OptionalString("qscheme"));
            if (dtype != "fp8_e4m3")
            {
                throw tensor.Invalid("dtype", $"is '{dtype}'; supported: fp8_e4m3");
            }

            if (scheme is not ("per_tensor" or "per_channel"))
            {
                throw tensor.Invalid("qscheme", $"is '{scheme}'; supported: per_tensor, per_channel");
            }

            if (!dynamic)
            {
                tensor.Require("is_dynamic", supported: false, fallback: false);
                if (scheme == "per_channel" && tensor.OptionalInteger("ch_axis", -8, 8) is { } axis and not 0)
                {
                    throw tensor.Invalid("ch_axis", $"is {axis}; supported: 0, the outputs");
                }
            }
        }
    }
}
