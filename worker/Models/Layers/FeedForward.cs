using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <summary>What a layer computes on each token by itself. Called by <see cref="TransformerLayer"/>.</summary>
internal abstract class FeedForward
{
    /// <summary>The kind that a layer of the configuration has.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public static FeedForward Load(int layer, Shard shard, Backend backend, WeightLoader weights, WeightNames names) => shard.Config switch
    {
        { Moe: { } moe } when moe.HasExperts(layer) => new MixtureOfExperts(layer, shard, moe, backend, weights, names),
        { GatedMlp: true } => new GatedMlp(layer, shard, backend, weights, names),
        _ => new PlainMlp(layer, shard, backend, weights, names),
    };

    /// <summary>Enqueues output = f(x), of this rank's features; the ranks' outputs add up to the layer's. <paramref name="output"/> may be
    /// <paramref name="x"/>.</summary>
    public abstract void Forward(Activations activations, Tensor x, Tensor output);
}
