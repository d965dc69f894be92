using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Command R7B and Command A: Command R with sliding windows in three of four layers, which alone rotate. HF
/// modeling_cohere2.py.</summary>
internal sealed class Cohere2 : Architecture
{
    private static readonly ConfigObject Assumed = ConfigObject.Parse("Cohere2Config", """{"sliding_window": 4096}"""u8.ToArray());

    public override string Name => "Cohere2ForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("use_qk_norm", supported: false, fallback: false);
        var config = Cohere.Read(this, json);
        var pattern = json.OptionalInteger("sliding_window_pattern", 1, ModelConfig.MaxLayers) ?? 4;
        var windows = SlidingWindows.Read(json.Or(Assumed), config.NumLayers, layer => (layer + 1) % pattern != 0);
        return config with { SlidingWindows = windows, UnrotatedLayers = SlidingWindows.OfFullAttention(windows) };
    }
}
