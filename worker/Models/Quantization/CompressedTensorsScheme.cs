using System.Collections.Immutable;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: compressed-tensors</c>, as llm-compressor writes it: integers in words or bytes, or E4M3 weights, by groups of
/// layers. Inputs that the configuration quantizes as well are left in F32, unless integers are multiplied by integers
/// (W8A8).</summary>
internal sealed class CompressedTensorsScheme(ImmutableArray<CompressedTensorsGroup> groups, LayerPatterns ignored) : QuantizationScheme
{
    public override string Method => QuantizationMethods.CompressedTensors;

    public override string Description =>
        $"compressed-tensors, {string.Join("; ", groups.Select(group => group.Description).Distinct())}";

    public override string MarkerSuffix => Fp8Layout.ScaleSuffix;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static CompressedTensorsScheme Of(ConfigObject config)
    {
        var format = CompressedTensorsGroup.ReadFormat(config);
        if (config.OptionalObject("sparsity_config")?.OptionalString("format") is { } sparsity and not "dense")
        {
            throw config.Invalid("sparsity_config", $"has format '{sparsity}'; supported: dense");
        }

        // Rotations of inputs that would have to be undone.
        if (config.OptionalObject("transform_config") is { IsEmpty: false })
        {
            throw config.Invalid("transform_config", "has transforms; supported: none");
        }

        var groups = config.OptionalObject("config_groups") ?? throw config.Invalid("config_groups", "is missing");
        return new CompressedTensorsScheme(
            [.. groups.Objects().Select(group => CompressedTensorsGroup.Read(group, format))], LayerPatterns.Read(config, "ignore"));
    }

    public override QuantizationScheme WithFloatInputs() =>
        new CompressedTensorsScheme([.. groups.Select(group => group with { RoundsInputs = false })], ignored);

    public override bool Quantizes(string layer) => !ignored.Contains(layer) && GroupOf(layer) is not null;

    public override QuantizedMatrix Read(LayerTensors layer) => GroupOf(layer.Name)!.Read(layer);

    public override bool IsIgnorable(string tensor) => tensor.EndsWith(".input_zero_point", StringComparison.Ordinal);

    /// <summary>A group that names a layer comes before one of all linear layers.</summary>
    private CompressedTensorsGroup? GroupOf(string layer) =>
        groups.FirstOrDefault(group => group.Targets.Contains(layer)) ?? groups.FirstOrDefault(group => group.AllLinear);
}
