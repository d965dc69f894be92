using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads how a checkpoint's linear layers are stored, and refuses what no worker would load: the checks are those of the worker's
/// schemes, except that a field may be missing from which no size follows, as in a <c>spec.model.config</c> that people have shortened.
/// Part of <see cref="ModelShapeReader"/>; tests/EndToEnd.Tests/Contracts runs both readers over the same settings.</summary>
internal sealed class QuantizationReader
{
    private const int MostFeatures = 1 << 20;

    private readonly JsonObject _settings;
    private readonly string _field;

    private QuantizationReader(JsonObject settings, string field)
    {
        _settings = settings;
        _field = field;
    }

    /// <param name="config">config.json, with what a file beside it says, see <see cref="ModelConfig.AddQuantization"/>.</param>
    /// <param name="requested">What weights that are not quantized are rounded to at load, where it is one of
    /// <see cref="QuantizationMethods.AtLoad"/>.</param>
    /// <exception cref="ModelConfigException">A setting is wrong, or no worker loads such weights.</exception>
    public static QuantizedLayers Read(JsonObject config, string? requested = null)
    {
        foreach (var field in QuantizationMethods.ConfigFields)
        {
            switch (config[field])
            {
                case null:
                    continue;
                case JsonObject settings:
                    return new QuantizationReader(settings, field).Read();
                case var other:
                    throw new ModelConfigException($"config.json: {field} is {other.ToJsonString()}; it must be an object");
            }
        }

        return requested switch
        {
            QuantizationMethods.Fp8 => Rounded(WeightFormat.Fp8Outputs),
            QuantizationMethods.Int8 => Rounded(WeightFormat.Int8Outputs),
            _ => QuantizedLayers.None,
        };
    }

    private QuantizedLayers Read()
    {
        var method = Text(QuantizationMethods.MethodField)
            ?? QuantizationMethods.Implied(_field, name => _settings[name] is not null) ?? "";
        switch (method)
        {
            case QuantizationMethods.Fp8:
                Require("activation_scheme", OptionalText("activation_scheme", "dynamic") is "static" or "dynamic", "static, dynamic");
                Require("fmt", OptionalText("fmt", "e4m3") is "e4m3" or "float8_e4m3fn", "e4m3, float8_e4m3fn");
                return AllBut(ReadFp8Blocks(), "ignored_layers", "modules_to_not_convert");
            case QuantizationMethods.FbgemmFp8:
                Require(
                    "activation_scale_ub",
                    _settings["activation_scale_ub"] is null || Number("activation_scale_ub") is > 0 and <= float.MaxValue,
                    "a number above 0");
                return AllBut(WeightFormat.Fp8Outputs, "ignored_layers", "modules_to_not_convert");
            case QuantizationMethods.CompressedTensors:
                return AllBut(ReadCompressedTensors(), "ignore");
            case QuantizationMethods.Quark:
                return AllBut(ReadQuark(), "exclude");
            case QuantizationMethods.Mxfp4:
                RequireLists("modules_to_not_convert");
                return QuantizedLayers.Experts(WeightFormat.Mxfp4);
            case QuantizationMethods.SqueezeLlm:
                // A table for each output: no groups that limit how inputs are cut.
                return QuantizedLayers.AllBut(
                    new WeightFormat($"SqueezeLLM, {Bits("wbits", null, 4)} bits", 4) { OutputBytes = 16 * WeightFormat.HalfScale });
            case QuantizationMethods.Gptq:
                Require("dynamic", _settings["dynamic"] is null or JsonObject { Count: 0 }, "the same settings for all layers");
                Require("is_marlin_format", Flag("is_marlin_format", false) == false, "false");
                Require("desc_act", Flag("desc_act", false) is not null, "true, false");
                Require("checkpoint_format", OptionalText("checkpoint_format", "gptq") is "gptq" or "gptq_v2", "gptq, gptq_v2");
                return QuantizedLayers.AllBut(Grouped("GPTQ", Bits("bits", null, 4, 8)) with { InputBytes = sizeof(int) });
            case QuantizationMethods.Awq:
                Require("zero_point", Flag("zero_point", true) == true, "true");
                Require("version", OptionalText("version", "gemm").Equals("gemm", StringComparison.OrdinalIgnoreCase), "gemm");
                return AllBut(Grouped("AWQ", Bits("bits", "w_bit", 4), "q_group_size"), "modules_to_not_convert");
            default:
                throw new ModelConfigException(
                    $"config.json: {_field}.{QuantizationMethods.MethodField} '{method}' is none whose memory is known; supported: "
                    + string.Join(", ", QuantizationMethods.All));
        }
    }

    /// <summary>All but what workers compute with before they load it.</summary>
    private static QuantizedLayers Rounded(WeightFormat format) => QuantizedLayers.AllBut(format, new JsonArray("kv_b_proj"));

    private QuantizedLayers AllBut(WeightFormat format, params string[] lists)
    {
        RequireLists(lists);
        return QuantizedLayers.AllBut(format, lists.Select(field => _settings[field] as JsonArray));
    }

    /// <summary>DeepSeek's: a 32-bit scale for each block of outputs and inputs; without blocks, one for each tensor or output.</summary>
    private WeightFormat ReadFp8Blocks() =>
        _settings["weight_block_size"] is null ? WeightFormat.Fp8 : ReadBlocks("weight_block_size");

    private WeightFormat ReadBlocks(string field) =>
        _settings[field] is JsonArray { Count: 2 } size
            && Integer(size[0]) is >= 1 and <= MostFeatures and var outputs
            && Integer(size[1]) is >= 1 and <= MostFeatures and var inputs
            ? WeightFormat.Fp8 with { GroupOutputs = outputs, GroupSize = inputs, GroupBytes = WeightFormat.FullScale }
            : throw Wrong(field, _settings[field], "a list of outputs and inputs, such as [128, 128]");

    /// <summary>The format of all groups of layers; where they differ, the largest one.</summary>
    private WeightFormat ReadCompressedTensors()
    {
        const string Mixed = "mixed-precision";
        var format = Text("format");
        Require("format", format == Mixed || IsLayout(format), $"{Layouts}, {Mixed}");
        Require("config_groups", _settings["config_groups"] is null or JsonObject, "an object of groups of layers");
        Require(
            "sparsity_config",
            _settings["sparsity_config"] is null || (_settings["sparsity_config"] is JsonObject sparsity
                && (sparsity.Count == 0 || new QuantizationReader(sparsity, _field).OptionalText("format", "dense") == "dense")),
            "weights without sparsity (format dense)");
        Require("transform_config", _settings["transform_config"] is null or JsonObject { Count: 0 }, "no transforms");
        var groups = _settings["config_groups"] as JsonObject ?? [];
        WeightFormat? read = null;
        foreach (var (name, group) in groups.Where(entry => entry.Value is JsonObject))
        {
            var place = $"config_groups.{name}";
            Require($"{place}.weights", group!["weights"] is JsonObject, "an object");
            QuantizationReader layers = new(group.AsObject(), $"{_field}.{place}");
            layers.RequireLists("targets");
            layers.Require("input_activations", group["input_activations"] is null or JsonObject, "an object");
            var layout = format == Mixed ? layers.Text("format") : format;
            layers.Require("format", IsLayout(layout), Layouts);
            var own = new QuantizationReader(group["weights"]!.AsObject(), $"{_field}.{place}.weights").ReadWeights(layout!);
            read = read is null || own.BytesOf(128, 128, 2) > read.BytesOf(128, 128, 2) ? own : read;
        }

        return read ?? (format == "float-quantized"
            ? WeightFormat.Fp8Outputs
            : throw Wrong("config_groups", _settings["config_groups"], "a group of layers with the bits of its weights"));
    }

    private const string Layouts = "float-quantized, pack-quantized, int-quantized, naive-quantized";

    private static bool IsLayout(string? format) =>
        format is "float-quantized" or "pack-quantized" or "int-quantized" or "naive-quantized";

    /// <param name="layout">One of <see cref="Layouts"/>.</param>
    private WeightFormat ReadWeights(string layout)
    {
        Require("dynamic", Flag("dynamic", false) == false, "false");
        var isFloat = layout == "float-quantized" || (layout == "naive-quantized" && Text("type") == "float");
        return isFloat ? ReadFloats() : ReadIntegers(packed: layout == "pack-quantized");
    }

    private WeightFormat ReadFloats()
    {
        Require("type", Text("type") == "float", "float");
        Require("num_bits", Integer(_settings["num_bits"]) == 8, "8");
        Require("symmetric", Flag("symmetric", true) == true, "true");
        return Text("strategy") switch
        {
            "tensor" => WeightFormat.Fp8,
            "channel" => WeightFormat.Fp8Outputs,
            "block" => ReadBlocks("block_structure"),
            _ => throw Wrong("strategy", _settings["strategy"], "tensor, channel, block"),
        };
    }

    private WeightFormat ReadIntegers(bool packed)
    {
        Require("type", Text("type") == "int", "int");
        var bits = packed ? Bits("num_bits", null, 4, 8) : Bits("num_bits", null, 8);
        Require("symmetric", Flag("symmetric", true) is not null, "true, false");
        var scale = WeightFormat.HalfScale + (Flag("symmetric", true) == false ? bits / 8.0 : 0);
        WeightFormat format = new($"INT{bits}", bits);
        return Text("strategy") switch
        {
            "tensor" => format,
            "channel" => format with { OutputBytes = (int)Math.Ceiling(scale) },
            "group" when Integer(_settings["group_size"]) is { } size and >= 1 and <= MostFeatures =>
                format with { GroupSize = size, GroupBytes = scale },
            "group" => throw Wrong("group_size", _settings["group_size"], $"an integer from 1 to {MostFeatures}"),
            _ => throw Wrong("strategy", _settings["strategy"], "tensor, channel, group"),
        };
    }

    /// <summary>AMD Quark's FP8, with the settings of all layers and of those that differ.</summary>
    private WeightFormat ReadQuark()
    {
        Require("global_quant_config", _settings["global_quant_config"] is JsonObject, "an object");
        Require("layer_quant_config", _settings["layer_quant_config"] is null or JsonObject, "an object of layers");
        Require("layer_type_quant_config", _settings["layer_type_quant_config"] is null or JsonObject { Count: 0 }, "an empty object");
        foreach (var (name, layer) in (_settings["layer_quant_config"] as JsonObject ?? []).Where(entry => entry.Value is JsonObject))
        {
            ReadQuark($"layer_quant_config.{name}", layer!.AsObject());
        }

        return ReadQuark("global_quant_config", _settings["global_quant_config"]!.AsObject());
    }

    private WeightFormat ReadQuark(string place, JsonObject layers)
    {
        Require($"{place}.weight", layers["weight"] is JsonObject, "an object");
        QuantizationReader weight = new(layers["weight"]!.AsObject(), $"{_field}.{place}.weight");
        weight.Require("dtype", weight.Text("dtype") == "fp8_e4m3", "fp8_e4m3");
        weight.Require("is_dynamic", weight.Flag("is_dynamic", false) == false, "false");
        weight.Require("qscheme", weight.Text("qscheme") is "per_tensor" or "per_channel", "per_tensor, per_channel");
        return weight.Text("qscheme") == "per_tensor" ? WeightFormat.Fp8 : WeightFormat.Fp8Outputs;
    }

    private WeightFormat Grouped(string name, int bits, string? alias = null)
    {
        var size = _settings["group_size"] ?? (alias is null ? null : _settings[alias]);
        return Integer(size) switch
        {
            // A group is a whole column.
            -1 => new WeightFormat($"{name}, {bits} bits", bits) { OutputBytes = WeightFormat.HalfScale + 1 },
            { } inputs and >= 1 and <= MostFeatures => WeightFormat.Grouped(name, bits, inputs),
            _ => throw Wrong("group_size", size, $"an integer from 1 to {MostFeatures}, or -1"),
        };
    }

    private int Bits(string field, string? alias, params ReadOnlySpan<int> supported)
    {
        var value = _settings[field] ?? (alias is null ? null : _settings[alias]);
        return Integer(value) is { } bits && supported.Contains(bits)
            ? bits
            : throw Wrong(field, value, string.Join(", ", supported.ToArray()));
    }

    private void RequireLists(params ReadOnlySpan<string> fields)
    {
        foreach (var field in fields)
        {
            Require(
                field,
                _settings[field] is null
                    || (_settings[field] is JsonArray list && list.All(item => item?.GetValueKind() == JsonValueKind.String)),
                "a list of strings");
        }
    }

    private void Require(string field, bool holds, string expected)
    {
        if (!holds)
        {
            throw Wrong(field, _settings[field], expected);
        }
    }

    private ModelConfigException Wrong(string field, JsonNode? value, string expected) =>
        new($"config.json: {_field}.{field} is {value?.ToJsonString() ?? "missing"}; supported: {expected}");

    private string? Text(string field) => _settings[field]?.GetValueKind() == JsonValueKind.String ? (string)_settings[field]! : null;

    /// <summary>Empty for what is no string.</summary>
    private string OptionalText(string field, string fallback) => _settings[field] is null ? fallback : Text(field) ?? "";

    /// <summary>Null for what is neither true nor false.</summary>
    private bool? Flag(string field, bool fallback) => _settings[field]?.GetValueKind() switch
    {
        null => fallback,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    private double? Number(string field) =>
        _settings[field] is JsonValue value && value.GetValueKind() == JsonValueKind.Number ? (double)value : null;

    private static int? Integer(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int number) ? number : null;
}
