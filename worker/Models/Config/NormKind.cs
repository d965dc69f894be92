namespace Cluster.Worker.Models.Config;

/// <summary>Which normalization a model uses.</summary>
internal enum NormKind
{
    /// <summary>RMSNorm: a weight.</summary>
    Rms,

    /// <summary>LayerNorm: a weight and a bias.</summary>
    Layer,

    /// <summary>LayerNorm with a weight alone.</summary>
    BiaslessLayer,
}
