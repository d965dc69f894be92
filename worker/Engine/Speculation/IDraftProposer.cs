namespace Cluster.Worker.Engine.Speculation;

/// <summary>Guesses how sequences go on. Called by <see cref="Speculator"/> on the engine's thread before a step is planned. A guess may be
/// anything: the target model's step decides, so a bad one costs rows and never changes a text.</summary>
internal interface IDraftProposer : IDisposable
{
    /// <summary>For the start log.</summary>
    string Description { get; }

    /// <summary>Adds up to <see cref="DraftRequest.MaxTokens"/> tokens to each sequence's draft by <see cref="Sequence.AppendDraft"/>; none
    /// where it has no idea. Tokens must be of the target's vocabulary.</summary>
    void Propose(IReadOnlyList<DraftRequest> requests);

    /// <summary>The sequence has ended: whatever is kept for it can go. It may never have been seen.</summary>
    void Forget(Sequence sequence);
}

/// <summary>A sequence that is to decode in the next step and would gain from a guess.</summary>
/// <param name="Sequence">Has no draft yet.</param>
/// <param name="Sampling">How its tokens will be chosen.</param>
/// <param name="MaxTokens">Most tokens of use, at least 1.</param>
internal readonly record struct DraftRequest(Sequence Sequence, SamplingState Sampling, int MaxTokens);
