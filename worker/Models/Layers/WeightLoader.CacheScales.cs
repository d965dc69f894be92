using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <content>Scales of an FP8 cache, which some quantized checkpoints were calibrated for.</content>
internal sealed partial class WeightLoader
{
    /// <summary>Spellings, relative to the attention's name: AutoFP8 and vLLM (one scale for keys and values in older ones), ModelOpt,
    /// Quark and compressed-tensors.</summary>
    private static readonly (string Key, string Value)[] CacheScaleNames =
    [
        ("k_scale", "v_scale"), ("k_proj.k_scale", "v_proj.v_scale"), ("k_proj.output_scale", "v_proj.output_scale"),
        ("attn.k_scale", "attn.v_scale"), ("kv_scale", "kv_scale"),
    ];

    /// <summary>The scales of a layer's keys and values; null where the checkpoint has none.</summary>
    /// <param name="layer">Any of the attention's linear layers.</param>
    /// <exception cref="CheckpointFormatException">One is missing beside the other, has several elements or is not positive.</exception>
    public KvScales? CacheScales(string layer)
    {
        var attention = layer[..(layer.LastIndexOf('.') + 1)];
        foreach (var (key, value) in CacheScaleNames)
        {
            if (Has(attention + key) || Has(attention + value))
            {
                return new KvScales(CacheScale(attention + key), CacheScale(attention + value));
            }
        }

        return null;
    }

    private float CacheScale(string name)
    {
        var shape = _tensors.ShapeOf(name, "the other half of the cache");
        if (shape is not ([] or [1]))
        {
            throw _tensors.Wrong(
                name, $"has shape [{string.Join(", ", shape.ToArray())}]; supported: one scale of the cache for all heads of a layer");
        }

        var host = shape.IsEmpty ? _tensors.Take(name) : _tensors.Take(name, 1);
        var scale = WeightReader.ReadAll(host)[0];
        GC.KeepAlive(host);
        return float.IsFinite(scale) && scale > 0
            ? scale
            : throw _tensors.Wrong(name, $"is {scale}; a scale of the cache is positive and finite");
    }
}
