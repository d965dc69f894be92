using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>A normalization and its weights. Called by <see cref="Transformer"/> and <see cref="TransformerLayer"/>.</summary>
internal sealed class Norm
{
    private readonly Backend _backend;
    private readonly float _epsilon;
    private readonly Tensor _weight;
    private readonly Tensor? _bias;

    /// <param name="name">Without <c>.weight</c> and <c>.bias</c>.</param>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public Norm(string name, ModelConfig config, Backend backend, WeightLoader weights)
    {
        _backend = backend;
        _epsilon = config.NormEpsilon;
        _weight = weights.Vector(name + ".weight", config.HiddenSize, config.NormWeightOffset);
        _bias = config.Norm switch
        {
            NormKind.Layer => weights.Vector(name + ".bias", config.HiddenSize),
            NormKind.BiaslessLayer => weights.Constant(name + ".bias", new float[config.HiddenSize]),
            _ => null,
        };
    }

    /// <summary>output = norm(x); may be in place.</summary>
    public void Apply(Tensor x, Tensor output)
    {
        if (_bias is { } shift)
        {
            _backend.LayerNorm(x, _weight, shift, _epsilon, output);
        }
        else
        {
            _backend.RmsNorm(x, _weight, _epsilon, output);
        }
    }

    /// <summary>residual += x; output = norm(residual).</summary>
    public void AddAndApply(Tensor residual, Tensor x, Tensor output)
    {
        if (_bias is { } shift)
        {
            _backend.AddLayerNorm(residual, x, _weight, shift, _epsilon, output);
        }
        else
        {
            _backend.AddRmsNorm(residual, x, _weight, _epsilon, output);
        }
    }
}
