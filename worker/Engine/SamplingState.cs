using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Engine;

/// <summary>What the sampler knows of one sequence: its parameters, its seed, the tokens penalties look at. Written by
/// <see cref="LlmEngine"/> through <see cref="Accept"/>, read by <see cref="Sampler"/>.</summary>
internal sealed class SamplingState
{
    private readonly ConstraintCursor? _constraint;
    private readonly HashSet<int>? _seenTokens;
    private readonly Dictionary<int, int>? _outputCounts;

    /// <param name="seed">Used when the parameters bring none.</param>
    /// <param name="stopTokens">Every token that can end the sequence; masked until the minimum length is reached.</param>
    /// <param name="constraint">Compiled from the parameters' <see cref="SamplingParameters.Constraint"/>.</param>
    /// <param name="free">What comes before the constraint begins to hold.</param>
    public SamplingState(
        SamplingParameters parameters, ReadOnlySpan<int> promptTokenIds, ulong seed, int[] stopTokens,
        CompiledConstraint? constraint = null, FreeText? free = null)
    {
        _constraint = constraint is null ? null : new ConstraintCursor(constraint, free);
        Parameters = parameters;
        Seed = parameters.Seed is { } own ? (ulong)own : seed;
        StopTokens = stopTokens;
        if (parameters.RepetitionPenalty != 1)
        {
            _seenTokens = [.. promptTokenIds];
        }

        if (parameters.PresencePenalty != 0 || parameters.FrequencyPenalty != 0)
        {
            _outputCounts = [];
        }
    }

    private SamplingState(SamplingState origin)
    {
        _constraint = origin._constraint?.Fork();
        Parameters = origin.Parameters;
        Seed = origin.Seed;
        StopTokens = origin.StopTokens;
        NumAccepted = origin.NumAccepted;
        _seenTokens = origin._seenTokens is null ? null : [.. origin._seenTokens];
        _outputCounts = origin._outputCounts is null ? null : new Dictionary<int, int>(origin._outputCounts);
    }

    public SamplingParameters Parameters { get; }

    public ulong Seed { get; }

    public int[] StopTokens { get; }

    /// <summary>Where the output stands in its constraint; null when it is free, or still is.</summary>
    public ConstraintCursor? Constraint => _constraint is { IsFree: true } ? null : _constraint;

    /// <summary>Tokens of prompt and output; null when no penalty asks.</summary>
    public HashSet<int>? SeenTokens => _seenTokens;

    /// <summary>How often each token is in the output; null when no penalty asks.</summary>
    public Dictionary<int, int>? OutputCounts => _outputCounts;

    /// <summary>Tokens generated so far; with the seed, it decides the next random number.</summary>
    public int NumAccepted { get; private set; }

    /// <summary>Whether the output is still too short to end. A structured output that is complete ends all the same: nothing else could
    /// follow.</summary>
    public bool MasksStopTokens => NumAccepted < Parameters.MinTokens && Constraint is not { IsFinal: true };

    /// <summary>Whether a choice looks at anything but the plain logits.</summary>
    public bool AdjustsLogits => MasksStopTokens
        || Parameters.LogitBias is { Count: > 0 }
        || _seenTokens is not null
        || _outputCounts is not null
        || Constraint is not null;

    /// <summary>What is known of a sequence that has the same tokens so far.</summary>
    public SamplingState Fork() => new(this);

    /// <summary>Counts a token that became part of the output.</summary>
    public void Accept(int tokenId)
    {
        NumAccepted++;
        _constraint?.Accept(tokenId);
        _seenTokens?.Add(tokenId);
        if (_outputCounts is not null)
        {
            _outputCounts[tokenId] = _outputCounts.GetValueOrDefault(tokenId) + 1;
        }
    }
}
