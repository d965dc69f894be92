namespace Cluster.Fuzz.Running;

/// <summary>What came of one input.</summary>
/// <param name="Verdict">Null where the target threw.</param>
/// <param name="Failure">Null where all is well.</param>
internal sealed record Judgement(Verdict? Verdict, Failure? Failure, TimeSpan Elapsed, long AllocatedBytes);
