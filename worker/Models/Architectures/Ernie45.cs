using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>ERNIE 4.5: Llama that rotates neighbouring elements with each other; one switch gives biases to all its layers. HF
/// modeling_ernie4_5.py.</summary>
internal sealed class Ernie45 : Architecture
{
    /// <summary>Of all ERNIE 4.5.</summary>
    internal static readonly ConfigDefaults Defaults = new()
    {
        NormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        RopeTheta = 500_000,
        InterleavedRotary = true,
    };

    public override string Name => "Ernie4_5ForCausalLM";

    public override IReadOnlyList<string> Aliases => ["Ernie4_5_ForCausalLM"];

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var bias = json.Boolean("use_bias", false);
        return ModelConfig.ReadCommonFields(this, json, Defaults) with { QkvBias = bias, AttentionOutputBias = bias, MlpBias = bias };
    }
}
