using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Verification;

/// <summary>What a model computes against what it should. <see cref="ToString"/> is the line that <c>worker verify</c> prints.</summary>
/// <param name="MaxAbsDiff">Largest difference of a prompt logit; NaN when one is not a number, null when there were none to
/// compare.</param>
/// <param name="GreedyMatches">Greedy tokens equal to the reference's.</param>
/// <param name="GreedyTotal">Greedy tokens compared.</param>
internal sealed record GoldenResult(float? MaxAbsDiff, int GreedyMatches, int GreedyTotal)
{
    /// <summary>What rotary frequencies were rounded to (<see cref="RopeParameters.FrequencyDType"/>).</summary>
    public DType RopeFrequencyDType { get; init; } = DType.F32;

    /// <summary>Every logit within the tolerance and every greedy token equal.</summary>
    public bool Passes(float tolerance) => (MaxAbsDiff is null || MaxAbsDiff <= tolerance) && GreedyMatches == GreedyTotal;

    public override string ToString()
    {
        var difference = MaxAbsDiff?.ToString("G4", CultureInfo.InvariantCulture) ?? "none";
        var rope = RopeFrequencyDType == DType.F32 ? "" : $" rope_frequencies={RopeFrequencyDType.ToString().ToLowerInvariant()}";
        return $"max_abs_diff={difference} greedy_match={GreedyMatches}/{GreedyTotal}{rope}";
    }
}
