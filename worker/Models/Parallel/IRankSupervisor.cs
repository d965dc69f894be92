using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Models.Parallel;

/// <summary>Knows how the other ranks fare. Implemented by <see cref="RankGroup"/>, which started them; asked by
/// <see cref="LeadingRunner"/>, which computes with them and disposes it.</summary>
internal interface IRankSupervisor : IDisposable
{
    /// <summary>The first rank lost, and how; null while all are there.</summary>
    RankLostException? Loss { get; }

    /// <summary>A collective operation has found a rank gone.</summary>
    /// <param name="seen">What the operation knows: mostly that somebody did not answer.</param>
    /// <returns>The loss, with how the rank ended where that is known.</returns>
    RankLostException Report(RankLostException seen);
}
