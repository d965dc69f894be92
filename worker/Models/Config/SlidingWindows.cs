using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Which layers see only the latest keys. Used by the architectures that have such layers.</summary>
internal static class SlidingWindows
{
    private const int MaxWindow = 1 << 28;

    /// <summary>Layers that see all keys where others slide: some models rotate in the others alone. Empty where none slides.</summary>
    public static ImmutableArray<int> OfFullAttention(ImmutableArray<int> windows) =>
        windows.All(window => window == 0) ? [] : [.. Enumerable.Range(0, windows.Length).Where(layer => windows[layer] == 0)];

    /// <summary>Reads <c>sliding_window</c> and, where there is one, <c>layer_types</c>.</summary>
    /// <param name="slides">Which layers slide when <c>layer_types</c> is missing.</param>
    /// <returns>Positions that each layer's queries see, their own included; 0 where they see all. Empty where all layers do.</returns>
    /// <exception cref="ModelConfigException">A field is of the wrong type or out of range, or a type of layer is not
    /// supported.</exception>
    public static ImmutableArray<int> Read(ConfigObject json, int numLayers, Func<int, bool> slides) =>
        ReadLimits(json, numLayers, "sliding_window", "sliding_attention", slides);

    /// <summary>The same of <c>attention_chunk_size</c>: positions of the chunks that a layer's queries do not see beyond.</summary>
    /// <inheritdoc cref="Read"/>
    public static ImmutableArray<int> ReadChunks(ConfigObject json, int numLayers, Func<int, bool> isChunked) =>
        ReadLimits(json, numLayers, "attention_chunk_size", "chunked_attention", isChunked);

    private static ImmutableArray<int> ReadLimits(ConfigObject json, int numLayers, string size, string limited, Func<int, bool> isLimited)
    {
        var types = json.Strings("layer_types");
        if (!types.IsEmpty && types.Length != numLayers)
        {
            throw json.Invalid("layer_types", $"has {types.Length} entries; num_hidden_layers is {numLayers}");
        }

        var unknown = types.FirstOrDefault(type => type != "full_attention" && type != limited);
        if (unknown is not null)
        {
            throw json.Invalid("layer_types", $"has '{unknown}'; supported: full_attention, {limited}");
        }

        if (json.OptionalInteger(size, 1, MaxWindow) is not { } positions)
        {
            return [];
        }

        return [
            .. Enumerable.Range(0, numLayers)
                .Select(layer => (types.IsEmpty ? isLimited(layer) : types[layer] == limited) ? positions : 0)];
    }
}
