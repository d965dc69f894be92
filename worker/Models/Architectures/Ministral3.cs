using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Ministral 3: Mistral by YaRN, with queries that grow by position beyond the trained length. HF
/// modeling_ministral3.py.</summary>
internal sealed class Ministral3 : Architecture
{
    public override string Name => "Ministral3ForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override ModelConfig Read(ConfigObject json)
    {
        var config = ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
        var beta = json.OptionalObject("rope_parameters")?.OptionalNumber("llama_4_scaling_beta", 0, 1 << 10);
        return config with
        {
            SlidingWindows = SlidingWindows.Read(json, config.NumLayers, _ => true),
            QueryScale = beta is { } slope ? new QueryScale(slope, config.Rope!.OriginalMaxPositions) : null,
        };
    }
}
