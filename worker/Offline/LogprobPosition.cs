namespace Cluster.Worker.Offline;

/// <summary>Log-probabilities at one position.</summary>
/// <param name="Chosen">The token that is there.</param>
/// <param name="Top">The likeliest tokens in its place, best first.</param>
public sealed record LogprobPosition(Logprob Chosen, IReadOnlyList<Logprob> Top);

/// <summary>A token with its natural-log probability.</summary>
/// <param name="TokenId">In the model's vocabulary.</param>
/// <param name="Value">The logarithm, 0 or less.</param>
/// <param name="Token">What it adds to a text; U+FFFD for a part of a character.</param>
public readonly record struct Logprob(int TokenId, float Value, string Token);
