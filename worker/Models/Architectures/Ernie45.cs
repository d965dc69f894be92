using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>ERNIE 4.5: Llama that rotates neighbouring elements with each other; one switch gives biases to all its layers. HF
/// modeling_ernie4_5.py.</summary>
internal sealed class Ernie45 : Architecture
{
    public override string Name => "Ernie4_5ForCausalLM";

    public override IReadOnlyList<string> Aliases => ["Ernie4_5_ForCausalLM"];

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var bias = json.Boolean("use_bias", false);
        var defaults = new ConfigDefaults
        {
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            RopeTheta = 500_000,
            InterleavedRotary = true,
        };
        return ModelConfig.ReadCommonFields(this, json, defaults) with { QkvBias = bias, AttentionOutputBias = bias, MlpBias = bias };
    }
}
