using Cluster.Worker.Compute;

namespace Cluster.Worker.Models;

/// <summary>A normalization and its weights. Called by <see cref="Transformer"/> and <see cref="TransformerLayer"/>.</summary>
internal sealed class Norm
{
    private readonly Backend backend;
    private readonly float epsilon;
    private readonly Tensor weight;
    private readonly Tensor? bias;

    /// <param name="name">Without <c>.weight</c> and <c>.bias</c>.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public Norm(string name, ModelConfig config, Backend backend, WeightLoader weights)
    {
        this.backend = backend;
        epsilon = config.NormEpsilon;
        weight = weights.Vector(name + ".weight", config.HiddenSize, config.NormWeightOffset);
        bias = config.Norm == NormKind.Layer ? weights.Vector(name + ".bias", config.HiddenSize) : null;
    }

    /// <summary>output = norm(x); may be in place.</summary>
    public void Apply(Tensor x, Tensor output)
    {
        if (bias is { } shift)
        {
            backend.LayerNorm(x, weight, shift, epsilon, output);
        }
        else
        {
            backend.RmsNorm(x, weight, epsilon, output);
        }
    }

    /// <summary>residual += x; output = norm(residual).</summary>
    public void AddAndApply(Tensor residual, Tensor x, Tensor output)
    {
        if (bias is { } shift)
        {
            backend.AddLayerNorm(residual, x, weight, shift, epsilon, output);
        }
        else
        {
            backend.AddRmsNorm(residual, x, weight, epsilon, output);
        }
    }
}
