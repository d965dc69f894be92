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
    /// <exception cref="ModelConfigException">A setting is wrong, or no worker loads such weights.</exception>
    public static WeightFormat Read(JsonObject config)
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

        return WeightFormat.Plain;
    }

    private WeightFormat Read()
    {
        var method = Text(QuantizationMethods.MethodField)
            ?? QuantizationMethods.Implied(_field, name => _settings[name] is not null) ?? "";
        switch (method)
        {
            case QuantizationMethods.Fp8:
                Require("weight_block_size", _settings["weight_block_size"] is null, "one scale per tensor or per output");
                Require("activation_scheme", OptionalText("activation_scheme", "dynamic") is "static" or "dynamic", "static, dynamic");
                RequireLists("ignored_layers", "modules_to_not_convert");
                return WeightFormat.Fp8;
            case QuantizationMethods.FbgemmFp8:
                Require(
                    "activation_scale_ub",
                    _settings["activation_scale_ub"] is null || Number("activation_scale_ub") is > 0 and <= float.MaxValue,
                    "a number above 0");
                RequireLists("ignored_layers", "modules_to_not_convert");
                return WeightFormat.Fp8;
            case QuantizationMethods.CompressedTensors:
                RequireFloatQuantized();
                return WeightFormat.Fp8;
            case QuantizationMethods.SqueezeLlm:
                // A table for each output: no groups that limit how inputs are cut.
                return new WeightFormat($"SqueezeLLM, {Bits("wbits", null, 4)} bits", 4);
            case QuantizationMethods.Gptq:
                Require("dynamic", _settings["dynamic"] is null or JsonObject { Count: 0 }, "the same settings for all layers");
                Require("is_marlin_format", Flag("is_marlin_format", false) == false, "false");
                Require("desc_act", Flag("desc_act", false) is not null, "true, false");
                Require("checkpoint_format", OptionalText("checkpoint_format", "gptq") is "gptq" or "gptq_v2", "gptq, gptq_v2");
                return Grouped("GPTQ", Bits("bits", null, 4, 8));
            case QuantizationMethods.Awq:
                Require("zero_point", Flag("zero_point", true) == true, "true");
                Require("version", OptionalText("version", "gemm").Equals("gemm", StringComparison.OrdinalIgnoreCase), "gemm");
                RequireLists("modules_to_not_convert");
                return Grouped("AWQ", Bits("bits", "w_bit", 4), "q_group_size");
            default:
                throw new ModelConfigException(
                    $"config.json: {_field}.{QuantizationMethods.MethodField} '{method}' is none whose memory is known; supported: "
                    + string.Join(", ", QuantizationMethods.All));
        }
    }

    private void RequireFloatQuantized()
    {
        Require("format", Text("format") == "float-quantized", "float-quantized");
        Require("config_groups", _settings["config_groups"] is null or JsonObject, "an object of groups of layers");
        RequireLists("ignore");
        var groups = _settings["config_groups"] as JsonObject ?? [];
        foreach (var (name, group) in groups.Where(entry => entry.Value is JsonObject))
        {
            var place = $"config_groups.{name}";
            Require($"{place}.weights", group!["weights"] is JsonObject, "an object");
            QuantizationReader weights = new(group["weights"]!.AsObject(), $"{_field}.{place}.weights");
            weights.Require("type", weights.Text("type") == "float", "float");
            weights.Require("num_bits", Integer(weights._settings["num_bits"]) == 8, "8");
            weights.Require("strategy", weights.Text("strategy") is "tensor" or "channel", "tensor, channel");
            weights.Require("symmetric", weights.Flag("symmetric", true) == true, "true");
            weights.Require("dynamic", weights.Flag("dynamic", false) == false, "false");
            QuantizationReader layers = new(group.AsObject(), $"{_field}.{place}");
            layers.RequireLists("targets");
            layers.Require("input_activations", group["input_activations"] is null or JsonObject, "an object");
        }
    }

    private WeightFormat Grouped(string name, int bits, string? alias = null)
    {
        var size = _settings["group_size"] ?? (alias is null ? null : _settings[alias]);
        return Integer(size) switch
        {
            -1 => new WeightFormat($"{name}, {bits} bits", bits), // A group is a whole column.
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
