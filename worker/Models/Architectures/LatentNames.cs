namespace Cluster.Worker.Models.Architectures;

/// <summary>What a checkpoint calls the parts of multi-head latent attention. Part of <see cref="WeightNames"/>.</summary>
internal sealed record LatentNames
{
    /// <summary>Queries from the hidden state, where they have no latent.</summary>
    public string Query { get; init; } = "self_attn.q_proj";

    public string QueryDown { get; init; } = "self_attn.q_a_proj";

    public string QueryNorm { get; init; } = "self_attn.q_a_layernorm";

    public string QueryUp { get; init; } = "self_attn.q_b_proj";

    /// <summary>The latent, then the rotated elements of keys.</summary>
    public string KeyValueDown { get; init; } = "self_attn.kv_a_proj_with_mqa";

    public string KeyValueNorm { get; init; } = "self_attn.kv_a_layernorm";

    /// <summary>Head by head the elements of a key that are not rotated, then those of a value.</summary>
    public string KeyValueUp { get; init; } = "self_attn.kv_b_proj";
}
