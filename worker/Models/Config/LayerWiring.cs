using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Config;

/// <summary>Where a layer normalizes, and what it adds to what; <see cref="TransformerLayer"/> draws them.</summary>
internal enum LayerWiring
{
    /// <summary>Inputs of attention and MLP are normalized.</summary>
    PreNorm,

    /// <summary>Inputs and outputs are.</summary>
    Sandwich,

    /// <summary>Outputs are.</summary>
    PostNorm,

    /// <summary>Attention and MLP run side by side on one normalized input.</summary>
    Parallel,

    /// <summary>They do, each on an input normalized by weights of its own.</summary>
    ParallelNorms,
}
