namespace Cluster.Worker.Engine;

/// <summary>Ends a text at the first stop text and holds back what might become one. Called by <see cref="ActiveSequence"/>.</summary>
/// <remarks>One Knuth–Morris–Pratt automaton a stop text: each character costs O(1) for each stop text, and an automaton's state is exactly
/// how many characters at the end of the text might still become part of a match. The text that completes a match first wins, the longest
/// of those that do so at the same character; so the result does not depend on how the text arrives in pieces.</remarks>
internal sealed class StopStringMatcher
{
    private readonly Automaton[] _automata;
    private readonly bool _includeStopString;
    private string _held = "";

    public StopStringMatcher(IReadOnlyList<string> stopStrings, bool includeStopString)
    {
        _includeStopString = includeStopString;
        _automata = [.. stopStrings.Select(stop => new Automaton(stop))];
    }

    private StopStringMatcher(StopStringMatcher origin)
    {
        _includeStopString = origin._includeStopString;
        _held = origin._held;
        Match = origin.Match;
        _automata = [.. origin._automata.Select(automaton => new Automaton(automaton))];
    }

    /// <summary>Whether there is anything to look for.</summary>
    public bool IsEmpty => _automata.Length == 0;

    /// <summary>The stop text that was found; null until then.</summary>
    public string? Match { get; private set; }

    /// <summary>Another matcher for a text that begins with what this one has seen.</summary>
    public StopStringMatcher Fork() => new(this);

    /// <summary>Adds text.</summary>
    /// <returns>The text that can no longer be part of a stop text; after a match, the text up to it. Nothing more may be added
    /// then.</returns>
    public string Append(string text)
    {
        if (_automata.Length == 0 || text.Length == 0)
        {
            return text;
        }

        var all = _held + text;
        for (var i = _held.Length; i < all.Length; i++)
        {
            if (Advance(all[i]) is { } match)
            {
                Match = match;
                _held = "";
                return all[..(i + 1 - (_includeStopString ? 0 : match.Length))];
            }
        }

        var certain = all.Length - _automata.Max(automaton => automaton.State);
        _held = all[certain..];
        return all[..certain];
    }

    /// <summary>The text held back, once it is known that none follows.</summary>
    public string Flush()
    {
        var rest = _held;
        _held = "";
        return rest;
    }

    private string? Advance(char character)
    {
        string? longest = null;
        foreach (var automaton in _automata)
        {
            if (automaton.Advance(character) && automaton.Text.Length > (longest?.Length ?? 0))
            {
                longest = automaton.Text;
            }
        }

        return longest;
    }

    private sealed class Automaton
    {
        /// <summary>fallback[n]: the longest proper prefix of the text that its first n characters end with.</summary>
        private readonly int[] _fallback;

        public Automaton(string text)
        {
            Text = text;
            _fallback = new int[text.Length + 1];
            for (int i = 1, matched = 0; i < text.Length; i++)
            {
                matched = Next(matched, text[i]);
                _fallback[i + 1] = matched;
            }
        }

        public Automaton(Automaton origin)
        {
            Text = origin.Text;
            _fallback = origin._fallback;
            State = origin.State;
        }

        public string Text { get; }

        /// <summary>Characters of <see cref="Text"/> that the text so far ends with.</summary>
        public int State { get; private set; }

        public bool Advance(char character)
        {
            State = Next(State, character);
            return State == Text.Length;
        }

        private int Next(int state, char character)
        {
            while (state > 0 && Text[state] != character)
            {
                state = _fallback[state];
            }

            return Text[state] == character ? state + 1 : 0;
        }
    }
}
