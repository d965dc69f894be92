using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Phi 3 to 4: Llama with q, k, v in one matrix and gate and up in another; long contexts by LongRoPE. HF
/// modeling_phi3.py.</summary>
internal sealed class Phi3 : Architecture
{
    public override string Name => "Phi3ForCausalLM";

    public override WeightNames WeightNames { get; } = new() { Qkv = ["self_attn.qkv_proj"], GateUp = ["mlp.gate_up_proj"] };

    public override ModelConfig Read(ConfigObject json)
    {
        json.Require("attention_bias", supported: false, fallback: false);
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
        return config with
        {
            QkvLayout = QkvLayout.Stacked,
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true),
        };
    }
}
