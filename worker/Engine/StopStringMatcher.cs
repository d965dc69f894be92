namespace Cluster.Worker.Engine;

/// <summary>Ends a text at the first stop text and holds back what might become one. Called by <see cref="ActiveSequence"/>.</summary>
/// <remarks>One Knuth–Morris–Pratt automaton a stop text: each character costs O(1) for each stop text, and an automaton's state is exactly how many characters
/// at the end of the text might still become part of a match. The text that completes a match first wins, the longest of those that do so at
/// the same character; so the result does not depend on how the text arrives in pieces.</remarks>
internal sealed class StopStringMatcher
{
    private readonly Automaton[] automata;
    private readonly bool includeStopString;
    private string held = "";

    public StopStringMatcher(IReadOnlyList<string> stopStrings, bool includeStopString)
    {
        this.includeStopString = includeStopString;
        automata = [.. stopStrings.Select(stop => new Automaton(stop))];
    }

    private StopStringMatcher(StopStringMatcher origin)
    {
        includeStopString = origin.includeStopString;
        held = origin.held;
        Match = origin.Match;
        automata = [.. origin.automata.Select(automaton => new Automaton(automaton))];
    }

    /// <summary>Whether there is anything to look for.</summary>
    public bool IsEmpty => automata.Length == 0;

    /// <summary>The stop text that was found; null until then.</summary>
    public string? Match { get; private set; }

    /// <summary>Another matcher for a text that begins with what this one has seen.</summary>
    public StopStringMatcher Fork() => new(this);

    /// <summary>Adds text.</summary>
    /// <returns>The text that can no longer be part of a stop text; after a match, the text up to it. Nothing more may be added then.</returns>
    public string Append(string text)
    {
        if (automata.Length == 0 || text.Length == 0)
        {
            return text;
        }

        var all = held + text;
        for (var i = held.Length; i < all.Length; i++)
        {
            if (Advance(all[i]) is { } match)
            {
                Match = match;
                held = "";
                return all[..(i + 1 - (includeStopString ? 0 : match.Length))];
            }
        }

        var certain = all.Length - automata.Max(automaton => automaton.State);
        held = all[certain..];
        return all[..certain];
    }

    /// <summary>The text held back, once it is known that none follows.</summary>
    public string Flush()
    {
        var rest = held;
        held = "";
        return rest;
    }

    private string? Advance(char character)
    {
        string? longest = null;
        foreach (var automaton in automata)
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
        private readonly int[] fallback;

        public Automaton(string text)
        {
            Text = text;
            fallback = new int[text.Length + 1];
            for (int i = 1, matched = 0; i < text.Length; i++)
            {
                matched = Next(matched, text[i]);
                fallback[i + 1] = matched;
            }
        }

        public Automaton(Automaton origin)
        {
            Text = origin.Text;
            fallback = origin.fallback;
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
                state = fallback[state];
            }

            return Text[state] == character ? state + 1 : 0;
        }
    }
}
