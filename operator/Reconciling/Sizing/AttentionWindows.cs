using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Which layers look only at the latest tokens, as each family's configuration says it. Where a configuration does not say, a
/// layer counts as one that looks at all, which costs memory and never lacks it.</summary>
internal static class AttentionWindows
{
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";
    private const string Chunked = "chunked_attention";

    /// <summary>Every layer, where there is a window at all (Mistral 7B, Phi-3, StarCoder 2).</summary>
    public static ImmutableArray<int> Everywhere(ModelFields fields, int layers) => Read(fields, layers, _ => true);

    /// <summary>All layers but every so many (Gemma 3, Cohere 2, OLMo 3, gpt-oss).</summary>
    public static Func<ModelFields, int, ImmutableArray<int>> Every(int usual) => (fields, layers) =>
    {
        var pattern = fields.Has("layer_types") ? usual
            : fields.Number(ModelFields.MostLayers, usual, "sliding_window_pattern", "_sliding_window_pattern");
        return Read(fields, layers, layer => (layer + 1) % pattern != 0);
    };

    /// <summary>Off unless <c>use_sliding_window</c> says otherwise, and then from <c>max_window_layers</c> on.</summary>
    public static ImmutableArray<int> OfQwen(ModelFields fields, int layers)
    {
        var first = fields.Optional(0, ModelFields.MostLayers, "max_window_layers") ?? 28;
        return fields.Flag("use_sliding_window", false) ? Read(fields, layers, layer => layer >= first) : [];
    }

    public static ImmutableArray<int> OfDots(ModelFields fields, int layers)
    {
        var first = fields.Optional(0, ModelFields.MostLayers, "max_window_layers") ?? 62;
        return Read(fields, layers, layer => layer >= first);
    }

    /// <summary>Layers with rotary positions look at their own chunk: at most as many tokens as it has.</summary>
    public static ImmutableArray<int> OfLlama4(ModelFields fields, int layers)
    {
        var chunk = fields.Number(ModelFields.MostTokens, 8192, "attention_chunk_size");
        var types = fields.LayerWords("layer_types", layers, Full, Chunked);
        var listed = fields.Numbers("no_rope_layers", 1, "a list of 0 and 1") is { Count: > 0 } list ? list : null;
        if (listed is not null && listed.Count != layers)
        {
            throw new ModelConfigException($"config.json: no_rope_layers has {listed.Count} entries; num_hidden_layers is {layers}");
        }

        var interval = fields.Number(ModelFields.MostLayers, 4, "no_rope_layer_interval");
        return
        [
            .. Enumerable.Range(0, layers).Select(layer => types is not null ? types[layer] == Chunked
                : listed is not null ? listed[layer] == 1 : (layer + 1) % interval != 0).Select(chunked => chunked ? chunk : 0),
        ];
    }

    private static ImmutableArray<int> Read(ModelFields fields, int layers, Func<int, bool> slides)
    {
        var types = fields.LayerWords("layer_types", layers, Full, Sliding);
        var usual = fields.Family.Defaults.TryGetValue("sliding_window", out var number) ? number : (int?)null;
        return (fields.Optional(0, ModelFields.MostTokens, "sliding_window") ?? usual) is > 0 and var window
            ? [.. Enumerable.Range(0, layers).Select(layer => (types is null ? slides(layer) : types[layer] == Sliding) ? window : 0)]
            : [];
    }
}
