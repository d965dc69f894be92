using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Layers;

/// <summary>How a layer's tokens see each other. Called by <see cref="TransformerLayer"/>.</summary>
internal interface IAttention
{
    /// <summary>Enqueues output = attention(x), of this rank's heads; the ranks' outputs add up to the layer's.</summary>
    void Forward(Activations activations, AttentionInputs[] inputs, KvCache cache, Tensor x, Tensor result);
}
