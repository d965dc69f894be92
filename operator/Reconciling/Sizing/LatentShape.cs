namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): the cache holds one compressed vector of a token in a layer for
/// all heads, so every GPU needs all of it.</summary>
/// <param name="QueryRank">Values that queries are compressed to; null where they are not.</param>
/// <param name="KvRank">Values that keys and values are compressed to.</param>
/// <param name="NopeDim">Of a query or key head, what is not rotated.</param>
/// <param name="RopeDim">Of a query head, and of the one key that all heads share, what is.</param>
/// <param name="ValueDim">Of a value head.</param>
internal sealed record LatentShape(int? QueryRank, int KvRank, int NopeDim, int RopeDim, int ValueDim)
{
    public int QueryDim => NopeDim + RopeDim;

    public int CachedValues => KvRank + RopeDim;
}
