using System.Buffers;
using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization;

/// <summary>Finds added tokens in text: at each position from the left the longest one, then the whitespace and word rules of that token.
/// <see cref="Tokenizer"/> has one for the text as it is and one for normalized text.</summary>
internal sealed class AddedTokenMatcher
{
    private sealed class Node
    {
        public Dictionary<char, Node>? Children;
        public AddedToken? Token;
    }

    private readonly Node _root = new();
    private readonly SearchValues<char> _firstCharacters;

    /// <param name="tokens">The token and the spelling to look for.</param>
    public AddedTokenMatcher(IEnumerable<(AddedToken Token, string Spelling)> tokens)
    {
        foreach ((var token, var spelling) in tokens)
        {
            var node = _root;
            foreach (var c in spelling)
            {
                node.Children ??= [];
                if (!node.Children.TryGetValue(c, out var child))
                {
                    node.Children[c] = child = new Node();
                }
                node = child;
            }
            node.Token = token;
        }
        _root.Token = null;
        _firstCharacters = SearchValues.Create(_root.Children is { } children ? [.. children.Keys] : []);
    }

    /// <summary>Appends the stretches of a text in order; <c>Token</c> is null for plain text.</summary>
    public void Split(string text, List<(TextSpan Span, AddedToken? Token)> segments)
    {
        var plainFrom = 0;
        for (var at = 0; FindNext(text, ref at) is { } found;)
        {
            TextSpan match = new(at, at + found.Length);
            at = match.End;
            if (found.Token.SingleWord && (EndsWithWord(text, match.Start) || StartsWithWord(text, match.End)))
            {
                continue;
            }
            match = Widen(text, match, found.Token, plainFrom);
            if (match.Start > plainFrom)
            {
                segments.Add((new TextSpan(plainFrom, match.Start), null));
            }
            segments.Add((match, found.Token));
            plainFrom = match.End;
            at = Math.Max(at, plainFrom);
        }
        if (plainFrom < text.Length)
        {
            segments.Add((new TextSpan(plainFrom, text.Length), null));
        }
    }

    private (AddedToken Token, int Length)? FindNext(string text, ref int at)
    {
        while (true)
        {
            var offset = text.AsSpan(at).IndexOfAny(_firstCharacters);
            if (offset < 0)
            {
                return null;
            }
            at += offset;
            if (LongestAt(text, at) is { } found)
            {
                return found;
            }
            at++;
        }
    }

    private (AddedToken Token, int Length)? LongestAt(string text, int at)
    {
        (AddedToken, int)? longest = null;
        var node = _root;
        for (var i = at; i < text.Length && node.Children is not null && node.Children.TryGetValue(text[i], out var child); i++)
        {
            node = child;
            if (node.Token is { } token)
            {
                longest = (token, i + 1 - at);
            }
        }
        return longest;
    }

    private static TextSpan Widen(string text, TextSpan match, AddedToken token, int from)
    {
        (var start, var end) = (match.Start, match.End);
        while (token.LeftStrip && start > from && char.IsWhiteSpace(text[start - 1]))
        {
            start--;
        }
        while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
        {
            end++;
        }
        return new TextSpan(start, end);
    }

    private static bool EndsWithWord(string text, int end) =>
        Rune.DecodeLastFromUtf16(text.AsSpan(0, end), out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool StartsWithWord(string text, int start) =>
        Rune.DecodeFromUtf16(text.AsSpan(start), out var rune, out _) == OperationStatus.Done && IsWord(rune);

    // \w of Unicode Technical Standard 18.
    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) is
        <= UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
}
