using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Mistral 7B: Llama with a sliding window in every layer (none since version 0.2). HF modeling_mistral.py.</summary>
internal sealed class Mistral : Architecture
{
    public override string Name => "MistralForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new());
        return config with { SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true) };
    }
}
