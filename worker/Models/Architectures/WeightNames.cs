using System.Collections.Immutable;

namespace Cluster.Worker.Models.Architectures;

/// <summary>What a checkpoint calls its tensors. The defaults are Llama's, which most architectures share; names of a layer's tensors follow
/// <see cref="LayerPrefix"/> and the layer's number. Linear layers are named without <c>.weight</c> or <c>.bias</c>.</summary>
internal sealed record WeightNames
{
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    public string FinalNorm { get; init; } = "model.norm.weight";

    /// <summary>The output matrix, where it is not tied to the embedding.</summary>
    public string Output { get; init; } = "lm_head.weight";

    public string LayerPrefix { get; init; } = "model.layers.";

    public string AttentionNorm { get; init; } = "input_layernorm.weight";

    /// <summary>Stacked along their rows into one multiplication: query, key and value heads in this order.</summary>
    public ImmutableArray<string> Qkv { get; init; } = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

    public string AttentionOutput { get; init; } = "self_attn.o_proj";

    public string MlpNorm { get; init; } = "post_attention_layernorm.weight";

    /// <summary>Stacked along their rows into one multiplication: gate, then up.</summary>
    public ImmutableArray<string> GateUp { get; init; } = ["mlp.gate_proj", "mlp.up_proj"];

    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>Full name of a layer's tensor or linear layer.</summary>
    public string InLayer(int layer, string name) => $"{LayerPrefix}{layer}.{name}";
}
