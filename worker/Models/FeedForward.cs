using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;

namespace Cluster.Worker.Models;

/// <summary>What a layer computes on each token by itself. Called by <see cref="TransformerLayer"/>.</summary>
internal abstract class FeedForward
{
    /// <summary>The kind that a layer of the configuration has.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public static FeedForward Load(int layer, ModelConfig config, Backend backend, WeightLoader weights, WeightNames names) => config switch
    {
        { Moe: { } moe } when moe.HasExperts(layer) => new MixtureOfExperts(layer, config, moe, backend, weights, names),
        { GatedMlp: true } => new GatedMlp(layer, config, backend, weights, names),
        _ => new PlainMlp(layer, config, backend, weights, names),
    };

    /// <summary>Enqueues output = f(x). <paramref name="output"/> may be <paramref name="x"/>.</summary>
    public abstract void Forward(Activations activations, Tensor x, Tensor output);
}
