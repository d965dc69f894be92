namespace Cluster.Fuzz.Running;

/// <summary>One line of the report.</summary>
/// <param name="Kept">Inputs that did something new and were mutated further.</param>
/// <param name="Crashes">Inputs that failed; <paramref name="Findings"/> has one of each kind.</param>
internal sealed record TargetReport(
    string Target, long Inputs, long Accepted, long Refused, int Kept, long Crashes, TimeSpan Worst, long WorstBytes,
    IReadOnlyList<Finding> Findings);
