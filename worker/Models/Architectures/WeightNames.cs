using System.Collections.Immutable;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>What a checkpoint calls its tensors. The defaults are Llama's, which most architectures share; names of a layer's tensors
/// follow <see cref="LayerPrefix"/> and the layer's number. Linear layers and norms are named without <c>.weight</c> or
/// <c>.bias</c>.</summary>
internal sealed record WeightNames
{
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    /// <summary>Where positions are learned.</summary>
    public string PositionEmbedding { get; init; } = "model.embed_positions.weight";

    /// <summary>Where embeddings are normalized.</summary>
    public string EmbeddingNorm { get; init; } = "model.embed_layernorm";

    public string FinalNorm { get; init; } = "model.norm";

    /// <summary>The output layer, where it is not tied to the embedding.</summary>
    public string Output { get; init; } = "lm_head";

    public string LayerPrefix { get; init; } = "model.layers.";

    public string AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>Stacked along their rows into one multiplication: query, key and value heads in this order. One name where they are
    /// stored as one matrix, see <see cref="ModelConfig.QkvLayout"/>.</summary>
    public ImmutableArray<string> Qkv { get; init; } = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

    /// <summary>Where query heads are normalized, see <see cref="Config.QueryKeyNorm"/>.</summary>
    public string QueryNorm { get; init; } = "self_attn.q_norm";

    public string KeyNorm { get; init; } = "self_attn.k_norm";

    /// <summary>Where attention is latent.</summary>
    public LatentNames Latent { get; init; } = new();

    /// <summary>Where heads have sinks; the tensor's full name.</summary>
    public string Sinks { get; init; } = "self_attn.sinks";

    public string AttentionOutput { get; init; } = "self_attn.o_proj";

    /// <summary>Where the attention's output is normalized.</summary>
    public string AttentionPostNorm { get; init; } = "post_attention_layernorm";

    public string MlpNorm { get; init; } = "post_attention_layernorm";

    /// <summary>Stacked along their rows into one multiplication: gate, then up. One name where they are stored as one matrix.</summary>
    public ImmutableArray<string> GateUp { get; init; } = ["mlp.gate_proj", "mlp.up_proj"];

    /// <summary>The first layer of an MLP without a gate.</summary>
    public string Up { get; init; } = "mlp.fc1";

    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>Followed by the names of the scalars of a layer's non-linearity, where it has any.</summary>
    public string ActivationScalars { get; init; } = "mlp.act_fn";

    /// <summary>Where the MLP's output is normalized.</summary>
    public string MlpPostNorm { get; init; } = "post_feedforward_layernorm";

    public string Router { get; init; } = "mlp.gate";

    /// <summary>What is added to experts' scores for the choice, where something is; the tensor's full name.</summary>
    public string RoutingCorrection { get; init; } = "mlp.gate.e_score_correction_bias";

    public ExpertLayout ExpertLayout { get; init; }

    /// <summary>Followed by the expert's number, where each has tensors of its own.</summary>
    public string ExpertPrefix { get; init; } = "mlp.experts.";

    /// <summary>After <see cref="ExpertPrefix"/> gate and up; where all experts share tensors, the full name of theirs.</summary>
    public ImmutableArray<string> ExpertGateUp { get; init; } = ["gate_proj", "up_proj"];

    /// <summary>The same of down.</summary>
    public string ExpertDown { get; init; } = "down_proj";

    /// <summary>Gate and up of the MLP that all tokens pass through besides their experts; one name where they are one matrix.</summary>
    public ImmutableArray<string> SharedGateUp { get; init; } = ["mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj"];

    public string SharedDown { get; init; } = "mlp.shared_experts.down_proj";

    /// <summary>What scales the shared MLP's output, where something does.</summary>
    public string SharedGate { get; init; } = "mlp.shared_expert_gate";

    /// <summary>The same names in a checkpoint that has them under a prefix.</summary>
    public WeightNames Renamed(Func<string, string> rename) => this with
    {
        Embedding = rename(Embedding),
        PositionEmbedding = rename(PositionEmbedding),
        EmbeddingNorm = rename(EmbeddingNorm),
        FinalNorm = rename(FinalNorm),
        Output = rename(Output),
        LayerPrefix = rename(LayerPrefix),
    };

    /// <summary>Full name of a layer's tensor or linear layer.</summary>
    public string InLayer(int layer, string name) => $"{LayerPrefix}{layer}.{name}";
}
