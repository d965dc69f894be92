namespace Cluster.Worker.Offline;

/// <summary>One output of a request, whole or, in a stream, the part of it that is new.</summary>
/// <param name="Index">Which of the request's outputs it is, from 0.</param>
/// <param name="Text">Never half a character.</param>
/// <param name="TokenIds">The tokens behind the text.</param>
/// <param name="FinishReason"><c>stop</c> or <c>length</c>; null in a stream while more comes.</param>
/// <param name="StopReason">The text or the token of the request that ended the output; null for the end of the sequence.</param>
public sealed record CompletionOutput(int Index, string Text, IReadOnlyList<int> TokenIds, string? FinishReason, string? StopReason)
{
    /// <summary>One for each of <see cref="TokenIds"/> where they were asked for.</summary>
    public IReadOnlyList<LogprobPosition>? Logprobs { get; init; }

    /// <summary>Sum of the tokens' log-probabilities; null where they were not asked for.</summary>
    public double? CumulativeLogprob => Logprobs?.Sum(position => (double)position.Chosen.Value);
}
