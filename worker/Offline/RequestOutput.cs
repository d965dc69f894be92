namespace Cluster.Worker.Offline;

/// <summary>What became of one prompt.</summary>
/// <param name="Prompt">Its text; null where tokens or a conversation were given.</param>
/// <param name="PromptTokenIds">What the model was given.</param>
/// <param name="Outputs">As many as <see cref="SamplingParams.N"/> asked for; a beam search may find fewer.</param>
public sealed record RequestOutput(string? Prompt, IReadOnlyList<int> PromptTokenIds, IReadOnlyList<CompletionOutput> Outputs)
{
    /// <summary>One for each prompt token where they were asked for; null for the first, which nothing precedes.</summary>
    public IReadOnlyList<LogprobPosition?>? PromptLogprobs { get; init; }

    /// <summary>Prompt tokens whose keys and values were found in the prefix cache.</summary>
    public int NumCachedTokens { get; init; }
}
