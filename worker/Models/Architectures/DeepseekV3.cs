using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>DeepSeek-V3 and R1, and Kimi-K2: latent attention, experts chosen in groups by corrected sigmoids, layers that predict further
/// tokens ignored. HF modeling_deepseek_v3.py.</summary>
internal sealed class DeepseekV3 : Deepseek
{
    public override string Name => "DeepseekV3ForCausalLM";

    public override ModelConfig Read(ConfigObject json)
    {
        var config = Read(json, json.Boolean("rope_interleave", true));
        return config with { Moe = new DeepseekExperts { FirstDense = 3 }.Read(json, config.NumLayers) };
    }
}
