using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Engine;

/// <summary>What the sampler knows of one sequence: its parameters, its seed, the tokens penalties look at. Written by
/// <see cref="LlmEngine"/> through <see cref="Accept"/>, read by <see cref="Sampler"/>.</summary>
internal sealed class SamplingState
{
    private readonly ConstraintCursor? _constraint;
    private readonly HashSet<int>? _seenTokens;
    private readonly Dictionary<int, int>? _outputCounts;
    private readonly TokenFilter? _filter;
    private readonly List<int> _tail = [];
    private readonly List<int> _forbidden = [];
    private ulong[]? _mask;

    /// <param name="seed">Used when the parameters bring none.</param>
    /// <param name="stopTokens">Every token that can end the sequence; masked until the minimum length is reached.</param>
    /// <param name="constraint">Compiled from the parameters' <see cref="SamplingParameters.Constraint"/>.</param>
    /// <param name="free">What comes before the constraint begins to hold.</param>
    /// <param name="filter">Compiled from the parameters' lists of tokens.</param>
    public SamplingState(
        SamplingParameters parameters, ReadOnlySpan<int> promptTokenIds, ulong seed, int[] stopTokens,
        CompiledConstraint? constraint = null, FreeText? free = null, TokenFilter? filter = null)
    {
        _filter = filter;
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

        Forbid();
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
        _filter = origin._filter;
        _tail.AddRange(origin._tail);
        _forbidden.AddRange(origin._forbidden);
    }

    public SamplingParameters Parameters { get; }

    public ulong Seed { get; }

    public int[] StopTokens { get; }

    /// <summary>Where the output stands in its constraint; null when it is free, or still is.</summary>
    public ConstraintCursor? Constraint => _constraint is { IsFree: true } ? null : _constraint;

    /// <summary>Bit i says whether token i may come next; empty for all. Valid until the next token.</summary>
    public ReadOnlySpan<ulong> Mask
    {
        get
        {
            var allowed = _filter is null ? [] : _filter.Allowed;
            if (Constraint is null)
            {
                return allowed;
            }

            var possible = Constraint.Mask;
            if (allowed.IsEmpty)
            {
                return possible;
            }

            _mask ??= new ulong[allowed.Length];
            for (var word = 0; word < allowed.Length; word++)
            {
                _mask[word] = allowed[word] & possible[word];
            }

            return _mask;
        }
    }

    /// <summary>Tokens that would complete a forbidden word; one may come up twice.</summary>
    public IReadOnlyList<int> ForbiddenTokens => _forbidden;

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
        || Constraint is not null
        || _filter is not null;

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

        if (_filter is { HasWords: true })
        {
            _tail.Add(tokenId);
            _tail.RemoveRange(0, Math.Max(0, _tail.Count - _filter.TailLength));
            Forbid();
        }
    }

    private void Forbid()
    {
        _forbidden.Clear();
        if (_filter is { HasWords: true })
        {
            _forbidden.AddRange(_filter.Forbidden(_tail));
        }
    }
}
