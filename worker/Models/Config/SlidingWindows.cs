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
    public static ImmutableArray<int> Read(ConfigObject json, int numLayers, Func<int, bool> slides)
    {
        var types = json.Strings("layer_types");
        if (!types.IsEmpty && types.Length != numLayers)
        {
            throw json.Invalid("layer_types", $"has {types.Length} entries; num_hidden_layers is {numLayers}");
        }

        var unknown = types.FirstOrDefault(type => type is not ("full_attention" or "sliding_attention"));
        if (unknown is not null)
        {
            throw json.Invalid("layer_types", $"has '{unknown}'; supported: full_attention, sliding_attention");
        }

        if (json.OptionalInteger("sliding_window", 1, MaxWindow) is not { } window)
        {
            return [];
        }

        return [
            .. Enumerable.Range(0, numLayers)
                .Select(layer => (types.IsEmpty ? slides(layer) : types[layer] == "sliding_attention") ? window : 0)];
    }
}
