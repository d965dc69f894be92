using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>Yi as first published, with its own name: Llama, whose two norms of a layer were called <c>ln1</c> and <c>ln2</c> at first.
/// Later checkpoints say LlamaForCausalLM.</summary>
internal sealed class Yi : Architecture
{
    private readonly WeightNames _firstNames = new() { AttentionNorm = "ln1", MlpNorm = "ln2" };

    public override string Name => "YiForCausalLM";

    public override WeightNames WeightNames { get; } = new();

    public override WeightNames NamesIn(Predicate<string> has) => has("model.layers.0.ln1.weight") ? _firstNames : WeightNames;

    public override ModelConfig Read(ConfigObject json) => ModelConfig.ReadCommonFields(this, json, new() { NormEpsilon = 1e-5 });
}
