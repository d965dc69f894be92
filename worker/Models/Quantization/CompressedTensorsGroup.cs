using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>Layers that a <c>config_groups</c> entry of compressed-tensors quantizes alike.</summary>
/// <param name="AllLinear">Targets every linear layer that no other group names.</param>
/// <param name="Targets">Layers that it names.</param>
/// <param name="HasInputScale">Inputs have a calibrated scale.</param>
/// <param name="Format">As compressed-tensors spells it.</param>
/// <param name="Integers">How integers are stored; null for E4M3.</param>
/// <param name="RoundsInputs">Inputs are rounded to integers as well, each row by its own scale unless there is a calibrated one.</param>
/// <param name="Blocks">Of outputs and inputs that share a scale; null for E4M3 with a scale for the tensor or each output.</param>
internal sealed record CompressedTensorsGroup(
    bool AllLinear, LayerPatterns Targets, bool HasInputScale, string Format, CompressedIntegers? Integers, bool RoundsInputs,
    ScaleBlocks? Blocks)
{
    private const string Packed = "pack-quantized";
    private const string Integer = "int-quantized";
    private const string Float = "float-quantized";
    private const string Naive = "naive-quantized";
    private const string Mixed = "mixed-precision";
    private const int MaxGroupSize = 1 << 20;

    /// <summary>What a group's layers are, for the start log.</summary>
    public string Description => Integers is { Bits: var bits, GroupSize: var size, IsSymmetric: var isSymmetric }
        ? $"{bits} bits, {(size < 0 ? Integers.Strategy == "tensor" ? "one scale" : "a scale per output" : $"groups of {size}")}"
          + (isSymmetric ? "" : ", with zeros") + (RoundsInputs ? ", inputs rounded to 8 bits" : "")
        : $"fp8 E4M3 weights{(Blocks is null ? "" : $" in blocks of {Blocks}")}";

    /// <param name="config">The entry.</param>
    /// <param name="common">Format of entries that state none.</param>
    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static CompressedTensorsGroup Read(ConfigObject config, string common)
    {
        var format = config.OptionalString("format") ?? common;
        if (format is not (Packed or Integer or Float or Naive))
        {
            throw config.Invalid("format", $"is '{format}'; supported: {Packed}, {Integer}, {Float}, {Naive}");
        }

        var weights = config.OptionalObject("weights") ?? throw config.Invalid("weights", "is missing");
        var type = Word(weights, "type", format switch
        {
            Packed or Integer => ["int"],
            Float => ["float"],
            _ => ["int", "float"],
        });
        var bits = weights.Integer("num_bits", 1, 64);
        if (bits != 8 && (bits != 4 || format != Packed))
        {
            throw weights.Invalid("num_bits", $"is {bits}; supported: {(format == Packed ? "4, 8" : "8")}");
        }

        weights.Require("dynamic", supported: false, fallback: false);
        var isFloat = type == "float";
        if (isFloat)
        {
            weights.Require("symmetric", supported: true, fallback: true);
        }

        var strategy = Word(
            weights, "strategy", isFloat ? ["tensor", "channel", "block"] : ["tensor", "channel", "group"], ImpliedStrategy(weights));
        var groupSize = strategy == "group" ? weights.Integer("group_size", 1, MaxGroupSize) : -1;
        var inputs = config.OptionalObject("input_activations");
        return new CompressedTensorsGroup(
            config.Strings("targets").Contains("Linear"),
            LayerPatterns.Read(config, "targets"),
            inputs is not null && !inputs.Boolean("dynamic", false),
            format,
            isFloat ? null : new CompressedIntegers(format == Packed, bits, strategy, groupSize, weights.Boolean("symmetric", true)),
            !isFloat && bits == 8 && groupSize < 0 && inputs is not null && CanRound(inputs),
            strategy == "block" ? ScaleBlocks.Read(weights, "block_structure") : null);
    }

    /// <summary>The format of groups that state none.</summary>
    /// <exception cref="ModelConfigException">It is not supported.</exception>
    public static string ReadFormat(ConfigObject config) => Word(config, "format", [Packed, Integer, Float, Naive, Mixed]);

    /// <exception cref="CheckpointFormatException">A tensor is missing or has a wrong type, shape or value.</exception>
    public QuantizedMatrix Read(LayerTensors layer)
    {
        if (Integers is null)
        {
            return Blocks is null
                ? Fp8Layout.Read(layer, HasInputScale)
                : Fp8Layout.ReadBlocks(layer, Fp8Layout.ScaleSuffix, Blocks, HasInputScale);
        }

        var scale = Fp8Layout.InputScale(layer, HasInputScale);
        return Integers.Read(layer, RoundsInputs ? new IntegerInputs(HasInputScale ? scale : null) : null);
    }

    /// <summary>Whether inputs are rounded in a way that depends on nothing but a row: to 8 bits without a zero, by the row's own scale or
    /// a calibrated one. Others are left as floats.</summary>
    private static bool CanRound(ConfigObject inputs)
    {
        var isDynamic = inputs.Boolean("dynamic", false);
        return (inputs.OptionalString("type") ?? "int") == "int"
            && (inputs.OptionalInteger("num_bits", 1, 64) ?? 8) == 8
            && inputs.Boolean("symmetric", true)
            && (inputs.OptionalString("strategy") is not { } strategy || strategy == (isDynamic ? "token" : "tensor"));
    }

    /// <summary>What compressed-tensors takes where no strategy is stated.</summary>
    private static string ImpliedStrategy(ConfigObject weights) => weights.OptionalInteger("group_size", -1, MaxGroupSize) switch
    {
        null => "tensor",
        -1 => "channel",
        _ => "group",
    };

    private static string Word(ConfigObject config, string field, ReadOnlySpan<string> supported, string? implied = null)
    {
        var value = config.OptionalString(field) ?? implied;
        return value is not null && supported.Contains(value)
            ? value
            : throw config.Invalid(field, $"is '{value}'; supported: {string.Join(", ", supported.ToArray())}");
    }
}
