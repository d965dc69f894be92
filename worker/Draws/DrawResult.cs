namespace Cluster.Worker.Draws;

/// <summary>A token that a device chose.</summary>
/// <param name="Token">Its id; of no meaning where <paramref name="Max"/> is not finite.</param>
/// <param name="Max">The largest of the logits chosen from; NaN where there was one.</param>
/// <param name="Logprob">Natural-log probability by the plain logits, within 1e-6 of the host's; null where not asked for.</param>
internal readonly record struct DrawResult(int Token, float Max, float? Logprob);
