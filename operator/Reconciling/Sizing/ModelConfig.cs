using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>What a checkpoint says of itself.</summary>
/// <param name="Json">Its <c>config.json</c>.</param>
/// <param name="WeightBytes">Of all tensors, where the checkpoint says; null where it does not.</param>
/// <param name="Origin">Where it was read, for people.</param>
internal sealed record ModelConfig(JsonObject Json, long? WeightBytes, string Origin)
{
    public const string FileName = "config.json";

    /// <summary>Lists the files of a checkpoint that has several, and their size in all.</summary>
    public const string IndexName = "model.safetensors.index.json";

    public static int MaxConfigBytes => (int)FileKind.ModelConfig.MaxBytes;

    public const int MaxIndexBytes = 16 << 20;

    /// <exception cref="ModelConfigException">It is not a JSON object.</exception>
    public static JsonObject Parse(byte[] text, string file)
    {
        try
        {
            return JsonTree.Parse(text) as JsonObject ?? throw new ModelConfigException($"{file} is no JSON object");
        }
        catch (JsonException e)
        {
            throw new ModelConfigException($"{file} is not JSON: {e.Message}", e);
        }
    }

    /// <summary>Whether config.json leaves it to another file to say how weights are quantized, if they are.</summary>
    public static bool LacksQuantization(JsonObject config) => QuantizationMethods.ConfigFields.All(field => config[field] is null);

    /// <summary>Puts what a file beside config.json says where config.json says it itself in other checkpoints.</summary>
    /// <param name="file">One of <see cref="QuantizationMethods.Files"/>.</param>
    public static void AddQuantization(JsonObject config, string file, JsonObject settings)
    {
        var added = settings.DeepClone().AsObject();
        added[QuantizationMethods.MethodField] ??= QuantizationMethods.Implied(file, name => settings[name] is not null);
        config[QuantizationMethods.ConfigFields[0]] = added;
    }

    /// <summary><c>metadata.total_size</c> of an index; null where there is none.</summary>
    public static long? TotalSize(JsonObject index) =>
        (index["metadata"] as JsonObject)?["total_size"] is JsonValue value && value.TryGetValue(out double size) && size is > 0 and < 1e15
            ? (long)size
            : null;
}

/// <summary>Where configurations of models are read that a spec does not carry.</summary>
internal interface IModelConfigs
{
    /// <exception cref="ModelConfigException">It cannot be had from here; the message says why.</exception>
    Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken);
}
