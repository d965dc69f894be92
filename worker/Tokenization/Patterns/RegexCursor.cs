using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Where a reader of a regex is in it. Shared by <see cref="RegexTranslator"/> and <see cref="ClassReader"/>.</summary>
internal sealed class RegexCursor(string regex)
{
    private int _at;

    public bool AtEnd => _at >= regex.Length;

    /// <summary>The next UTF-16 unit; NUL at the end.</summary>
    public char Peek => AtEnd ? '\0' : regex[_at];

    public bool Take(string text)
    {
        if (string.CompareOrdinal(regex, _at, text, 0, text.Length) != 0)
        {
            return false;
        }
        _at += text.Length;
        return true;
    }

    public bool LooksAt(string text) => string.CompareOrdinal(regex, _at, text, 0, text.Length) == 0;

    /// <summary>The next code point.</summary>
    public int Next()
    {
        if (AtEnd)
        {
            throw new ArgumentException("it ends too early");
        }
        var rune = Rune.GetRuneAt(regex, _at);
        _at += rune.Utf16SequenceLength;
        return rune.Value;
    }

    /// <summary>Up to a text, which is passed over; null, and nowhere further, where it does not come.</summary>
    public string? Until(string end)
    {
        var found = regex.IndexOf(end, _at, StringComparison.Ordinal);
        if (found < 0)
        {
            return null;
        }
        var text = regex[_at..found];
        _at = found + end.Length;
        return text;
    }

    /// <summary>Decimal digits, as many as there are; null for none.</summary>
    public int? Number()
    {
        var start = _at;
        while (char.IsAsciiDigit(Peek) && _at - start < 7)
        {
            _at++;
        }
        return _at == start ? null : int.Parse(regex.AsSpan(start, _at - start), CultureInfo.InvariantCulture);
    }

    /// <summary>Digits of a base.</summary>
    public int Digits(int most, bool hexadecimal, int fewest = 1)
    {
        var start = _at;
        var value = 0;
        while (_at - start < most && (hexadecimal ? char.IsAsciiHexDigit(Peek) : Peek is >= '0' and <= '7'))
        {
            value = (value * (hexadecimal ? 16 : 8)) + Convert.ToInt32(Peek.ToString(), 16);
            _at++;
        }
        return _at - start >= fewest ? value : throw new ArgumentException($"digits are missing at character {start}");
    }

    /// <summary>What has been read since a place, for going back.</summary>
    public int Place
    {
        get => _at;
        set => _at = value;
    }
}
