using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>Turns one sequence's tokens into text as they come. Called by <see cref="ActiveSequence"/>; calls
/// <see cref="ITokenizer.Decode"/>.</summary>
/// <remarks>
/// A token's text depends on its neighbours (a leading space that only shows after a word, a character spread over tokens), so a short
/// window of tokens is decoded again each time and what is new at its end is the token's text:
/// <code>
/// … earlier tokens … | tokens before | tokens whose text is not complete |
///                    └ window start  └ read                              └ now
/// text of the window:  [already emitted          ][ new ]
/// </code>
/// A text that ends in U+FFFD may be cut inside a character and is held back. Holding has an end: after <see cref="MostHeld"/> tokens all
/// but the last three replacement characters, the most a cut character can show as, is emitted and the window moves on. So no token is
/// decoded more than a fixed number of times and the cost of a text is linear, whatever a model produces.
/// </remarks>
internal sealed class Detokenizer
{
    /// <summary>Prompt tokens the window starts with, for the spacing of the first output token.</summary>
    private const int PromptContext = 5;

    /// <summary>Most tokens whose text may be incomplete.</summary>
    private const int MostHeld = 16;

    /// <summary>Tokens kept when the window is moved inside incomplete text: three replacement characters come from at most nine bytes,
    /// a cut character before them from three, and a token has at least one.</summary>
    private const int Overlap = 12;

    private const int CutCharacter = 3;

    private readonly ITokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly IReadOnlyList<int> _kept;
    private readonly int[] _window = new int[2 * MostHeld + 2];
    private int _count;
    private int _read;
    private int _emitted;

    /// <param name="keptSpecialTokens">Those that are not skipped.</param>
    public Detokenizer(
        ITokenizer tokenizer, ReadOnlySpan<int> promptTokenIds, bool skipSpecialTokens, IReadOnlyList<int>? keptSpecialTokens = null)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _kept = keptSpecialTokens ?? [];
        foreach (var token in promptTokenIds[Math.Max(0, promptTokenIds.Length - PromptContext)..])
        {
            if (!IsLeftOut(token))
            {
                _window[_count++] = token;
            }
        }

        _read = _count;
        _emitted = Decode().Length;
    }

    private Detokenizer(Detokenizer origin)
    {
        _tokenizer = origin._tokenizer;
        _skipSpecialTokens = origin._skipSpecialTokens;
        _kept = origin._kept;
        origin._window.CopyTo(_window, 0);
        (_count, _read, _emitted) = (origin._count, origin._read, origin._emitted);
    }

    /// <summary>Another detokenizer for a sequence that has the same tokens so far.</summary>
    public Detokenizer Fork() => new(this);

    /// <summary>Adds a token.</summary>
    /// <returns>The text that is certain now; empty while a character is incomplete.</returns>
    public string Append(int tokenId)
    {
        if (IsLeftOut(tokenId))
        {
            return "";
        }

        _window[_count++] = tokenId;
        var text = Decode();
        var held = Math.Min(TrailingReplacements(text), CutCharacter);
        if (held > 0 && _count - _read < MostHeld)
        {
            return "";
        }

        var delta = Take(text, text.Length - held);
        if (held > 0)
        {
            MoveWindow(_count - Overlap, held);
        }
        else if (delta.Length > 0 || _count - _read >= MostHeld)
        {
            MoveWindow(_read, 0);
        }

        return delta;
    }

    /// <summary>The text still held back, with a replacement character for what is incomplete. The sequence has ended.</summary>
    public string Flush()
    {
        var text = Decode();
        return Take(text, text.Length);
    }

    private string Decode() => _tokenizer.Decode(_window.AsSpan(0, _count), _skipSpecialTokens && _kept.Count == 0);

    /// <summary>The tokenizer skips all special tokens or none; where some are kept, the others stay out of the window.</summary>
    private bool IsLeftOut(int tokenId) =>
        _skipSpecialTokens && _kept.Count > 0 && _tokenizer.IsSpecial(tokenId) && !_kept.Contains(tokenId);

    private string Take(string text, int end)
    {
        if (end <= _emitted)
        {
            return "";
        }

        var delta = text[_emitted..end];
        _emitted = end;
        return delta;
    }

    /// <summary>Drops the window's first tokens. Everything in it counts as emitted except <paramref name="held"/> characters at its
    /// end.</summary>
    private void MoveWindow(int start, int held)
    {
        _window.AsSpan(start, _count - start).CopyTo(_window);
        _count -= start;
        _read = _count;
        _emitted = Math.Max(0, Decode().Length - held);
    }

    private static int TrailingReplacements(string text)
    {
        var end = text.Length;
        while (end > 0 && text[end - 1] == '\uFFFD')
        {
            end--;
        }

        return text.Length - end;
    }
}
