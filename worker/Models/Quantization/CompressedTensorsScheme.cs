using System.Collections.Immutable;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: compressed-tensors</c> in the format <c>float-quantized</c>, as llm-compressor writes it: E4M3 weights with a
/// scale for each tensor or each output.</summary>
internal sealed class CompressedTensorsScheme(ImmutableArray<CompressedTensorsScheme.Group> groups, LayerPatterns ignored)
    : QuantizationScheme
{
    private const string Format = "float-quantized";

    public override string Method => QuantizationMethods.CompressedTensors;

    public override string Description => "compressed-tensors, fp8 E4M3 weights";

    public override string MarkerSuffix => Fp8Layout.ScaleSuffix;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static CompressedTensorsScheme Of(ConfigObject config)
    {
        if (config.OptionalString("format") is var format && format != Format)
        {
            throw config.Invalid("format", $"is '{format}'; supported: {Format}");
        }

        var groups = config.OptionalObject("config_groups") ?? throw config.Invalid("config_groups", "is missing");
        return new CompressedTensorsScheme([.. groups.Objects().Select(ReadGroup)], LayerPatterns.Read(config, "ignore"));
    }

    public override bool Quantizes(string layer) => !ignored.Contains(layer) && GroupOf(layer) is not null;

    public override QuantizedMatrix Read(LayerTensors layer) => Fp8Layout.Read(layer, GroupOf(layer.Name)?.HasInputScale == true);

    public override bool IsIgnorable(string tensor) => Fp8Scheme.IsCacheScale(tensor);

    private Group? GroupOf(string layer) => groups.FirstOrDefault(group => group.AllLinear || group.Targets.Contains(layer));

    private static Group ReadGroup(ConfigObject config)
    {
        var weights = config.OptionalObject("weights") ?? throw config.Invalid("weights", "is missing");
        Require(weights, "type", weights.OptionalString("type"), "float");
        if (weights.Integer("num_bits", 1, 64) is var bits and not 8)
        {
            throw weights.Invalid("num_bits", $"is {bits}; supported: 8");
        }

        Require(weights, "strategy", weights.OptionalString("strategy"), "tensor", "channel");
        if (!weights.Boolean("symmetric", true) || weights.Boolean("dynamic", false))
        {
            throw weights.Invalid("symmetric", "must be true and 'dynamic' false for weights");
        }

        var inputs = config.OptionalObject("input_activations");
        var allLinear = config.Strings("targets").Contains("Linear");
        return new Group(allLinear, LayerPatterns.Read(config, "targets"), inputs is not null && !inputs.Boolean("dynamic", false));
    }

    private static void Require(ConfigObject config, string field, string? value, params ReadOnlySpan<string> supported)
    {
        if (value is null || !supported.Contains(value))
        {
            throw config.Invalid(field, $"is '{value}'; supported: {string.Join(", ", supported.ToArray())}");
        }
    }

    /// <summary>Layers that are quantized alike.</summary>
    /// <param name="AllLinear">Targets every linear layer.</param>
    /// <param name="HasInputScale">Inputs have a calibrated scale.</param>
    internal sealed record Group(bool AllLinear, LayerPatterns Targets, bool HasInputScale);
}
