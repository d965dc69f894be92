using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Multi-head latent attention (DeepSeek-AI, arXiv 2405.04434): what is cached of a token is one latent for all heads. Part of
/// <see cref="ModelConfig"/>, whose <see cref="ModelConfig.HeadDim"/> is then <see cref="QueryDim"/> and whose one key/value head is the
/// latent.</summary>
/// <param name="QueryRank">Elements of the latent that queries are made from; null where they are made from the hidden state.</param>
/// <param name="KvRank">Elements of the latent that keys and values are made from.</param>
/// <param name="NopeDim">Elements of a query or key that are not rotated; they come first.</param>
/// <param name="RopeDim">Elements that are; all heads' keys share them.</param>
/// <param name="ValueDim">Elements of a value.</param>
internal sealed record LatentConfig(int? QueryRank, int KvRank, int NopeDim, int RopeDim, int ValueDim)
{
    private const int MaxDim = 1024;

    /// <summary>Elements of a query.</summary>
    public int QueryDim => NopeDim + RopeDim;

    /// <summary>Elements that are cached of a token.</summary>
    public int CacheDim => KvRank + RopeDim;

    /// <exception cref="ModelConfigException">A field is missing or out of range.</exception>
    public static LatentConfig Read(ConfigObject json) => new(
        json.OptionalInteger("q_lora_rank", 1, ModelConfig.MaxFeatures),
        json.Integer("kv_lora_rank", 1, MaxDim),
        json.Integer("qk_nope_head_dim", 1, MaxDim),
        json.Integer("qk_rope_head_dim", 2, MaxDim),
        json.Integer("v_head_dim", 1, MaxDim));
}
