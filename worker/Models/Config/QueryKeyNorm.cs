namespace Cluster.Worker.Models.Config;

/// <summary>How query and key heads are normalized.</summary>
internal enum QueryKeyNorm
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Each head by itself, all by the same weights: a vector of one head.</summary>
    PerHead,

    /// <summary>The same after heads are rotated.</summary>
    AfterRotation,

    /// <summary>Each head by itself, by mean and variance and weights of its own: <c>[heads, headDim]</c>.</summary>
    LayerNormPerHead,

    /// <summary>All query heads together, all key heads together: a vector of all heads.</summary>
    AllHeads,

    /// <summary>Each head by itself, without weights, in layers that rotate.</summary>
    Weightless,
}
