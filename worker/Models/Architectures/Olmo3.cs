using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>OLMo 3: OLMo 2 with sliding windows in three of four layers. HF modeling_olmo3.py.</summary>
internal sealed class Olmo3 : Architecture
{
    public override string Name => "Olmo3ForCausalLM";

    public override WeightNames WeightNames => Olmo2.Names;

    public override ModelConfig Read(ConfigObject json)
    {
        var config = Olmo2.Read(this, json);
        return config with { SlidingWindows = SlidingWindows.Read(json, config.NumLayers, layer => (layer + 1) % 4 != 0) };
    }
}
