using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>DeepSeek-V2 and its Lite and Coder: latent attention, shared experts, weights of experts from a softmax over all. HF
/// modeling_deepseek_v2.py.</summary>
internal sealed class DeepseekV2 : Deepseek
{
    public override string Name => "DeepseekV2ForCausalLM";

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("mlp_bias", supported: false, fallback: false);
        var config = Read(json, interleaved: true);
        return config with
        {
            Moe = new DeepseekExperts { Scoring = "softmax", Method = "greedy", Normalize = false }.Read(json, config.NumLayers),
        };
    }
}
