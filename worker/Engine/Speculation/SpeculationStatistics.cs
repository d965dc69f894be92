using System.Collections.Immutable;

namespace Cluster.Worker.Engine.Speculation;

/// <summary>How well guesses did so far; part of <see cref="EngineStatistics"/>.</summary>
/// <param name="NumDrafts">Drafts verified: one for each sequence and step that had one.</param>
/// <param name="NumDraftTokens">Tokens in them.</param>
/// <param name="NumAcceptedTokens">Tokens that were what the target chose.</param>
/// <param name="AcceptedPerPosition">How often the first, second, … token of a draft was.</param>
internal sealed record SpeculationStatistics(
    long NumDrafts, long NumDraftTokens, long NumAcceptedTokens, ImmutableArray<long> AcceptedPerPosition);
