namespace Cluster.Worker.Engine.Speculation;

/// <summary>Guesses that a text which ends as it did before goes on as it did then (prompt look-up decoding). Costs no model; pays where an
/// output quotes its prompt or itself. Called by <see cref="Speculator"/>.</summary>
/// <remarks>
/// The longest ending that occurred before decides, its latest occurrence first:
/// <code>
/// a b c d e … x b c d        the last three tokens occurred before, so
///   └─────┘ └→ e …     └→ e … is the draft
/// </code>
/// Where the draft reaches the end of the text it goes on with itself: a text that repeats every p tokens is drafted as repeating.
/// </remarks>
internal sealed class NgramProposer : IDraftProposer
{
    private readonly int _minLength;
    private readonly int _maxLength;

    /// <param name="minLength">Shortest ending looked up, in tokens.</param>
    /// <param name="maxLength">Longest ending looked up.</param>
    public NgramProposer(int minLength, int maxLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(minLength, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxLength, minLength);
        _minLength = minLength;
        _maxLength = maxLength;
    }

    public string Description => $"look-up of the last {_minLength} to {_maxLength} tokens in the text so far";

    public void Propose(IReadOnlyList<DraftRequest> requests)
    {
        foreach (var request in requests)
        {
            var sequence = request.Sequence;
            var start = FindContinuation(sequence.Tokens);
            for (var i = 0; start >= 0 && i < request.MaxTokens; i++)
            {
                var source = start + i;
                sequence.AppendDraft(source < sequence.Length ? sequence.Tokens[source] : sequence.Draft[source - sequence.Length]);
            }
        }
    }

    public void Forget(Sequence sequence)
    {
        // Everything is read off the sequence itself.
    }

    public void Dispose()
    {
        // Holds nothing.
    }

    /// <summary>Where the text goes on after the latest earlier occurrence of its longest repeated ending; -1 when none repeats.</summary>
    private int FindContinuation(ReadOnlySpan<int> tokens)
    {
        for (var length = Math.Min(_maxLength, tokens.Length - 1); length >= _minLength; length--)
        {
            // Without the last token, or the ending would find itself.
            var match = tokens[..^1].LastIndexOf(tokens[^length..]);
            if (match >= 0)
            {
                return match + length;
            }
        }

        return -1;
    }
}
