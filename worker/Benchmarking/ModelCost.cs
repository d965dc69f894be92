using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Benchmarking;

/// <summary>What a step must at least read and compute, to compare its time with the machine's ceilings.</summary>
/// <param name="WeightBytes">Weights that a step streams: all but the embedding table, of which it reads a row a token. With experts an
/// upper bound.</param>
/// <param name="KvBytesPerToken">Keys and values of one token in all layers.</param>
/// <param name="OperationsPerRow">Of all layers' matrix products, without attention; a multiply-add is two.</param>
/// <param name="OperationsPerLogitRow">Of the output layer.</param>
/// <param name="AttentionOperationsPerKey">Of one query row and one key, in all layers.</param>
internal sealed record ModelCost(
    long WeightBytes, long KvBytesPerToken, double OperationsPerRow, double OperationsPerLogitRow, double AttentionOperationsPerKey)
{
    public static ModelCost Of(LoadedModel model)
    {
        var config = model.Config;
        double hidden = config.HiddenSize;
        var parameters = config.NumLayers * AttentionWeights(config);
        for (var layer = 0; layer < config.NumLayers; layer++)
        {
            var projections = config.GatedMlp ? 3 : 2;
            parameters += config.Moe is { } moe && moe.HasExperts(layer)
                ? hidden * (moe.NumExperts + (3.0 * ((moe.ExpertsPerToken * moe.IntermediateSize) + moe.SharedIntermediateSize)))
                : projections * hidden * config.IntermediateSize;
        }

        var cache = model.Capacity.Cache;
        return new ModelCost(
            model.ResidentWeightBytes - model.TableBytes,
            cache.BytesPerBlock / cache.BlockSize,
            2 * parameters,
            2 * hidden * config.VocabSize,
            config.NumLayers * (config.Latent is { } latent
                ? 2.0 * config.NumHeads * (latent.CacheDim + latent.KvRank)
                : 4.0 * config.AttentionSize));
    }

    /// <summary>Of one layer; of latent attention as it is computed, see <see cref="LatentAttention"/>.</summary>
    private static double AttentionWeights(ModelConfig config)
    {
        double hidden = config.HiddenSize;
        if (config.Latent is not { } latent)
        {
            return hidden * (config.QkvSize + config.AttentionSize);
        }

        double heads = config.NumHeads;
        var queries = latent.QueryRank is { } rank ? rank * (hidden + config.QkvSize) : hidden * config.QkvSize;
        var absorbed = heads * ((latent.QueryDim * latent.CacheDim) + (latent.KvRank * latent.ValueDim));
        return queries + absorbed + (hidden * (latent.CacheDim + config.AttentionSize));
    }

    /// <summary>Bytes that a step reads: the weights once, the keys and values of every sequence.</summary>
    public double Bytes(StepBatch batch)
    {
        long context = 0;
        foreach (var length in batch.ContextLengths.AsSpan(0, batch.NumSequences))
        {
            context += length;
        }

        return WeightBytes + ((double)context * KvBytesPerToken);
    }

    /// <summary>Operations of a step. A row sees its own position and those before it; sliding windows are not taken off.</summary>
    public double Operations(StepBatch batch)
    {
        long keys = 0;
        foreach (var position in batch.Positions.AsSpan(0, batch.NumTokens))
        {
            keys += position + 1;
        }

        return (batch.NumTokens * OperationsPerRow) + (batch.NumLogits * OperationsPerLogitRow) + (keys * AttentionOperationsPerKey);
    }
}
