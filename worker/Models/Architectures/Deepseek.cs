using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Architectures;

/// <summary>What DeepSeek's models of multi-head latent attention have in common.</summary>
internal abstract class Deepseek : Architecture
{
    public override WeightNames WeightNames { get; } = new();

    /// <summary>Everything but the experts.</summary>
    /// <param name="interleaved">Whether neighbours are rotated, not halves.</param>
    /// <exception cref="ModelConfigException">A field is missing, of the wrong type, or out of range.</exception>
    protected ModelConfig Read(ConfigObject json, bool interleaved)
    {
        // The rotated part is all of a head that positions know of; checkpoints on the hub have no head_dim, and num_key_value_heads is
        // that of the attention that nobody computes.
        var latent = LatentConfig.Read(json);
        var config = ModelConfig.ReadCommonFields(this, json.WithAliases(("head_dim", "qk_rope_head_dim")), new());
        if (config.HeadDim != latent.RopeDim)
        {
            throw json.Invalid("head_dim", $"is {config.HeadDim}; it must be qk_rope_head_dim {latent.RopeDim}, or left out");
        }

        var attentionBias = json.Boolean("attention_bias", false);
        return config with
        {
            Latent = latent,
            HeadDim = latent.QueryDim,
            NumKvHeads = 1,
            Rope = config.Rope! with { Interleaved = interleaved, FirstDim = latent.KvRank },
            AttentionScale = (float)(config.Rope.Scaling.ScoreScale / Math.Sqrt(latent.QueryDim)),
            QkvBias = attentionBias,
            AttentionOutputBias = attentionBias,
        };
    }
}
