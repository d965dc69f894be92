namespace Cluster.Worker.Serving.Parsing;

/// <summary>Finds the end of a JSON value whose text comes in parts. Brackets and strings are followed; what stands between them has to be
/// made of JSON's characters.</summary>
internal struct JsonScanner
{
    /// <summary>Deepest nesting of a value that counts as one.</summary>
    private const int MaxDepth = 64;

    private ulong _objects;
    private int _depth;
    private bool _inString;
    private bool _escaped;
    private bool _inWord;

    public bool IsComplete { get; private set; }

    /// <summary>What came next cannot be part of a value; it was not taken.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Takes as much of the text as belongs to the value.</summary>
    /// <returns>Its length.</returns>
    public int Take(ReadOnlySpan<char> text)
    {
        var i = 0;
        while (i < text.Length && !IsComplete && !IsBroken)
        {
            if (_inString)
            {
                var stop = _escaped ? 0 : text[i..].IndexOfAny('"', '\\');
                if (stop < 0)
                {
                    return text.Length;
                }

                i += stop + 1;
                (_escaped, _inString) = (!_escaped && text[i - 1] == '\\', _escaped || text[i - 1] != '"');
                IsComplete = !_inString && _depth == 0;
                continue;
            }

            i += Outside(text[i]) ? 1 : 0;
        }

        return i;
    }

    private bool Outside(char c)
    {
        if (_inWord && _depth == 0 && !IsWord(c))
        {
            // A number's end shows in what follows.
            IsComplete = true;
            return false;
        }

        switch (c)
        {
            case '{' or '[' when _depth < MaxDepth:
                _objects = (_objects << 1) | (c == '{' ? 1u : 0u);
                _depth++;
                return true;
            case '}' or ']' when _depth > 0 && ((_objects & 1) == 1) == (c == '}'):
                _objects >>= 1;
                IsComplete = --_depth == 0;
                return true;
            case '"':
                _inString = true;
                return true;
            case ' ' or '\t' or '\r' or '\n':
            case ',' or ':' when _depth > 0:
                return true;
            default:
                _inWord |= _depth == 0;
                IsBroken = !IsWord(c);
                return !IsBroken;
        }
    }

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '+' or '.';
}
