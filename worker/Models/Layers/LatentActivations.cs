using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Intermediate results of <see cref="LatentAttention"/>. Part of <see cref="Activations"/>.</summary>
/// <param name="Queries"><c>[tokens, queryRank]</c> what queries are made from; null where that is the hidden state.</param>
/// <param name="Cached"><c>[tokens, kvRank + ropeDim]</c> what goes to the cache.</param>
/// <param name="Absorbed"><c>[tokens, heads·(kvRank + ropeDim)]</c> queries that meet what is cached.</param>
/// <param name="Mixed"><c>[tokens, heads·kvRank]</c> weighted sums of cached latents.</param>
internal sealed record LatentActivations(Tensor? Queries, Tensor Cached, Tensor Absorbed, Tensor Mixed)
{
    /// <param name="heads">Of the rank.</param>
    public static LatentActivations Allocate(Backend backend, int heads, LatentConfig latent, int maxTokens) => new(
        latent.QueryRank is { } rank ? backend.Allocate("query_latent", DType.F32, maxTokens, rank) : null,
        backend.Allocate("latent", DType.F32, maxTokens, latent.CacheDim),
        backend.Allocate("absorbed_queries", DType.F32, maxTokens, heads * latent.CacheDim),
        backend.Allocate("mixed_latents", DType.F32, maxTokens, heads * latent.KvRank));

    /// <summary>Bytes that <see cref="Allocate"/> takes for each token.</summary>
    public static long BytesPerToken(int heads, LatentConfig latent) =>
        sizeof(float) * ((latent.QueryRank ?? 0) + latent.CacheDim + ((long)heads * (latent.CacheDim + latent.KvRank)));
}
