using System.Globalization;

namespace Cluster.Worker.Engine;

/// <summary>Whether and why a sequence has ended; the default value means it goes on.</summary>
/// <param name="StopReason">The stop text or token id; null for end-of-sequence and for reasons other than
/// <see cref="FinishReason.Stop"/>.</param>
/// <param name="StopTokenId">The stop token id, where it was one.</param>
internal readonly record struct StopDecision(FinishReason? Reason, string? StopReason = null, int? StopTokenId = null);

/// <summary>Decides by its last token whether a sequence has ended; stop texts are <see cref="StopStringMatcher"/>'s. Called by
/// <see cref="ActiveSequence"/>.</summary>
internal sealed class StopChecker
{
    private readonly HashSet<int> _eosTokenIds;
    private readonly HashSet<int> _stopTokenIds;

    /// <param name="eosTokenIds">The model's end-of-sequence tokens.</param>
    /// <param name="maxModelLength">Longest sequence, prompt and output together.</param>
    public StopChecker(SamplingParameters sampling, IReadOnlyCollection<int> eosTokenIds, int promptLength, int maxModelLength)
    {
        _eosTokenIds = sampling.IgnoreEos ? [] : [.. eosTokenIds];
        _stopTokenIds = [.. sampling.StopTokenIds];
        MaxTokens = Math.Min(sampling.MaxTokens ?? int.MaxValue, maxModelLength - promptLength);
    }

    /// <summary>Most tokens this sequence can generate.</summary>
    public int MaxTokens { get; }

    /// <summary>Every token that ends the sequence.</summary>
    public int[] StopTokens => [.. _eosTokenIds.Union(_stopTokenIds)];

    /// <param name="tokenId">The token generated last.</param>
    /// <param name="completionLength">Tokens generated so far, with this one.</param>
    public StopDecision Check(int tokenId, int completionLength)
    {
        if (_eosTokenIds.Contains(tokenId))
        {
            return new StopDecision(FinishReason.Stop);
        }

        if (_stopTokenIds.Contains(tokenId))
        {
            return new StopDecision(FinishReason.Stop, tokenId.ToString(CultureInfo.InvariantCulture), tokenId);
        }

        return completionLength >= MaxTokens ? new StopDecision(FinishReason.Length) : default;
    }
}
