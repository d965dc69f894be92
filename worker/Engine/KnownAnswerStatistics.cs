namespace Cluster.Worker.Engine;

/// <summary>What came of asking the model for a known answer (<see cref="KnownAnswerProbe"/>).</summary>
/// <param name="Agreed">Answers that were those of the start, the first among them.</param>
/// <param name="Deviated">Answers that were not.</param>
internal readonly record struct KnownAnswerStatistics(long Agreed, long Deviated);
