using System.Diagnostics;

namespace Cluster.Worker.Engine;

/// <summary>A request that has ended, with all its times: what metrics and traces are made of. Told to the <see cref="IEngineObserver"/>
/// before the request's last output can be read.</summary>
/// <param name="Caller">The span that was current when the request was made; the default where none was.</param>
/// <param name="Arrival">When the engine got it.</param>
/// <param name="Queue">From its arrival until the scheduler first took it; null when it never did.</param>
/// <param name="FirstToken">From its arrival until the first of its sequences had a token; null when none has.</param>
/// <param name="End">From its arrival until all its sequences had ended.</param>
/// <param name="CachedTokens">Prompt tokens found in the prefix cache.</param>
/// <param name="Sequences">All that were computed for it, in the order of their ends.</param>
/// <param name="Outputs">Those that its caller gets, by index: fewer where the best of several are chosen.</param>
/// <param name="Failure">Why it could not be finished; null when it ended by itself or was aborted.</param>
internal sealed record EndedRequest(
    GenerationRequest Request,
    ActivityContext Caller,
    DateTimeOffset Arrival,
    TimeSpan? Queue,
    TimeSpan? FirstToken,
    TimeSpan End,
    int CachedTokens,
    IReadOnlyList<EndedSequence> Sequences,
    IReadOnlyList<EndedSequence> Outputs,
    Exception? Failure = null);

/// <summary>One sequence of an <see cref="EndedRequest"/>.</summary>
/// <param name="FinishReason">Null when its request failed before it ended.</param>
/// <param name="CompletionTokens">Tokens generated.</param>
/// <param name="End">From the request's arrival until the sequence ended.</param>
internal readonly record struct EndedSequence(FinishReason? FinishReason, int CompletionTokens, TimeSpan End);
