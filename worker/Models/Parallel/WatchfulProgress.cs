using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Parallel;

/// <summary>Ends rank 0's loading as soon as another rank has failed in its own: nobody shall wait for weights that will never be
/// used.</summary>
/// <param name="inner">Whom to tell as well.</param>
internal sealed class WatchfulProgress(RankGroup group, IProgress<LoadProgress>? inner) : IProgress<LoadProgress>
{
    /// <exception cref="Compute.Collectives.RankLostException">A rank is lost.</exception>
    public void Report(LoadProgress value)
    {
        group.ThrowIfLost();
        inner?.Report(value);
    }
}
