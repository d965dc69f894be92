using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Qwen 2 and 2.5: Llama with biases on q, k and v. HF modeling_qwen2.py.</summary>
internal sealed class Qwen2 : Architecture
{
    public override string Name => "Qwen2ForCausalLM";

    /// <summary>As the text of Qwen2.5-VL, whose positions have axes for images.</summary>
    public bool HasImagePositions { get; init; }

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new() { MultiAxisRotary = HasImagePositions });
        return config with { QkvBias = true, SlidingWindows = ReadWindows(json, config.NumLayers) };
    }

    /// <summary>Qwen's rule: windows are off unless <c>use_sliding_window</c> says otherwise, and then begin at
    /// <c>max_window_layers</c>.</summary>
    internal static ImmutableArray<int> ReadWindows(ConfigObject json, int numLayers)
    {
        var first = json.OptionalInteger("max_window_layers", 0, ModelConfig.MaxLayers) ?? 28;
        return json.Boolean("use_sliding_window", false) ? SlidingWindows.Read(json, numLayers, layer => layer >= first) : [];
    }
}
