namespace Cluster.Worker.Engine;

/// <summary>What the sampler knows of one sequence: its parameters, its seed, the tokens penalties look at. Written by <see cref="LlmEngine"/>
/// through <see cref="Accept"/>, read by <see cref="Sampler"/>.</summary>
internal sealed class SamplingState
{
    private readonly HashSet<int>? seenTokens;
    private readonly Dictionary<int, int>? outputCounts;

    /// <param name="seed">Used when the parameters bring none.</param>
    /// <param name="stopTokens">Every token that can end the sequence; masked until the minimum length is reached.</param>
    public SamplingState(SamplingParameters parameters, ReadOnlySpan<int> promptTokenIds, ulong seed, int[] stopTokens)
    {
        Parameters = parameters;
        Seed = parameters.Seed is { } own ? (ulong)own : seed;
        StopTokens = stopTokens;
        if (parameters.RepetitionPenalty != 1)
        {
            seenTokens = [.. promptTokenIds];
        }

        if (parameters.PresencePenalty != 0 || parameters.FrequencyPenalty != 0)
        {
            outputCounts = [];
        }
    }

    public SamplingParameters Parameters { get; }

    public ulong Seed { get; }

    public int[] StopTokens { get; }

    /// <summary>Tokens of prompt and output; null when no penalty asks.</summary>
    public HashSet<int>? SeenTokens => seenTokens;

    /// <summary>How often each token is in the output; null when no penalty asks.</summary>
    public Dictionary<int, int>? OutputCounts => outputCounts;

    /// <summary>Tokens generated so far; with the seed, it decides the next random number.</summary>
    public int NumAccepted { get; private set; }

    public bool MasksStopTokens => NumAccepted < Parameters.MinTokens;

    /// <summary>Whether a choice looks at anything but the plain logits.</summary>
    public bool AdjustsLogits => MasksStopTokens || Parameters.LogitBias is { Count: > 0 } || seenTokens is not null || outputCounts is not null;

    /// <summary>Counts a token that became part of the output.</summary>
    public void Accept(int tokenId)
    {
        NumAccepted++;
        seenTokens?.Add(tokenId);
        if (outputCounts is not null)
        {
            outputCounts[tokenId] = outputCounts.GetValueOrDefault(tokenId) + 1;
        }
    }
}
