using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Two matrices a head that take queries to the latents and sums of latents to values. Part of
/// <see cref="LatentAttention"/>.</summary>
/// <remarks>
/// Made of the head's rows of <c>kv_b_proj</c>, K above V, while the model loads:
/// <code>
///           nope    rope                          rank
/// Keys    │ Kᵀ      0   │ rank       Values    │  V  │ value
///         │ 0       1   │ rope
/// </code>
/// The unit matrix passes the rotated elements on, exactly, so that a head's query stays one row for one multiplication; it costs rope ÷
/// nope of what Kᵀ does, and the zeros rope ÷ rank of a query's elements. Weights that a checkpoint quantizes are decoded, since Kᵀ would
/// need its codes and scales along the other dimension; they are as exact as before, in F32.
/// </remarks>
internal sealed record LatentMatrices(ExpertWeights Keys, ExpertWeights Values)
{
    /// <param name="name">Without <c>.weight</c>.</param>
    /// <param name="heads">The rank's.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public static LatentMatrices Load(string name, LatentConfig latent, Slice heads, Backend backend, WeightLoader weights)
    {
        var rowsOfHead = latent.NopeDim + latent.ValueDim;
        var (dtype, stored) = weights.Decoded(name, heads.Times(rowsOfHead), latent.KvRank);
        var keys = new LinearWeight[heads.Count];
        var values = new LinearWeight[heads.Count];
        for (var head = 0; head < heads.Count; head++)
        {
            var own = stored.AsSpan(head * rowsOfHead * latent.KvRank, rowsOfHead * latent.KvRank);
            var place = new Slice(heads.Full, heads.First + head, 1);
            keys[head] = weights.Computed(name, dtype, KeysOf(own, latent), place.Times(latent.CacheDim), latent.QueryDim);
            values[head] = weights.Computed(
                name, dtype, own[(latent.NopeDim * latent.KvRank)..].ToArray(), place.Times(latent.ValueDim), latent.KvRank);
        }

        return new LatentMatrices(backend.LoadExperts(name, keys), backend.LoadExperts(name, values));
    }

    private static float[] KeysOf(ReadOnlySpan<float> stored, LatentConfig latent)
    {
        var matrix = new float[latent.CacheDim * latent.QueryDim];
        for (var rank = 0; rank < latent.KvRank; rank++)
        {
            for (var d = 0; d < latent.NopeDim; d++)
            {
                matrix[(rank * latent.QueryDim) + d] = stored[(d * latent.KvRank) + rank];
            }
        }

        for (var d = 0; d < latent.RopeDim; d++)
        {
            matrix[((latent.KvRank + d) * latent.QueryDim) + latent.NopeDim + d] = 1;
        }

        return matrix;
    }
}
