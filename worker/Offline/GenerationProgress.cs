namespace Cluster.Worker.Offline;

/// <summary>How far a call of <see cref="LLM"/> has come.</summary>
/// <param name="Finished">Prompts that are answered.</param>
/// <param name="Total">All of them.</param>
/// <param name="OutputTokens">Generated for those that are answered.</param>
public readonly record struct GenerationProgress(int Finished, int Total, long OutputTokens);
