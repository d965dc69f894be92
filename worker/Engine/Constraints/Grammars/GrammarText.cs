using System.Text;

namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>Walks the text of a grammar: names, numbers, texts in quotes, and errors that name the line. Used by the parsers.</summary>
/// <param name="comments">What begins a comment, which ends with its line.</param>
internal sealed class GrammarText(string text, string parameter, params string[] comments)
{
    private int _at;
    private int _depth;

    public bool IsAtEnd => _at >= text.Length;

    public char Peek(int ahead = 0) => _at + ahead < text.Length ? text[_at + ahead] : '\0';

    public bool Skip(string expected)
    {
        if (string.CompareOrdinal(text, _at, expected, 0, expected.Length) != 0)
        {
            return false;
        }

        _at += expected.Length;
        return true;
    }

    public bool Sees(string expected) => string.CompareOrdinal(text, _at, expected, 0, expected.Length) == 0;

    /// <summary>Where the text stands, to come back to.</summary>
    public int Place
    {
        get => _at;
        set => _at = value;
    }

    /// <summary>Passes over white space, new lines and comments.</summary>
    public void SkipSpace()
    {
        while (!IsAtEnd)
        {
            if (char.IsWhiteSpace(text[_at]))
            {
                _at++;
            }
            else if (comments.Any(Sees))
            {
                SkipLine();
            }
            else
            {
                return;
            }
        }
    }

    public void SkipLine()
    {
        while (!IsAtEnd && text[_at] != '\n')
        {
            _at++;
        }
    }

    /// <returns>Null where there is no name.</returns>
    public string? Name(Func<char, bool> isPart)
    {
        var start = _at;
        while (!IsAtEnd && isPart(text[_at]))
        {
            _at++;
        }

        return _at > start ? text[start.._at] : null;
    }

    public int? Number()
    {
        var digits = Name(char.IsAsciiDigit);
        return digits is null ? null
            : digits.Length < 8 && int.Parse(digits, System.Globalization.CultureInfo.InvariantCulture) is var number
                && number <= ConstraintLimits.MaxRepeats
                ? number
                : throw Refuse($"repeats something {digits} times; at most {ConstraintLimits.MaxRepeats} are supported");
    }

    /// <summary>A text in quotes, which stand here; null where they do not.</summary>
    public string? Quoted()
    {
        var quote = Peek();
        if (quote is not ('"' or '\''))
        {
            return null;
        }

        _at++;
        var value = new StringBuilder();
        while (Peek() != quote)
        {
            if (IsAtEnd || Peek() == '\n')
            {
                throw Refuse($"has a text without its closing {quote}");
            }

            if (Peek() == '\\')
            {
                _at++;
                value.Append(Escaped());
            }
            else
            {
                value.Append(text[_at++]);
            }
        }

        _at++;
        return value.ToString();
    }

    /// <summary>A set in [], which stands here.</summary>
    public RuneSet Set() => Named(() => RegexParser.ParseSet(text, ref _at, "a set"));

    /// <summary>What stands between slashes, which stand here; an escaped slash is one.</summary>
    public string Slashed()
    {
        var start = ++_at;
        while (Peek() != '/')
        {
            if (IsAtEnd || Peek() == '\n')
            {
                throw Refuse("has a pattern without its closing /");
            }

            _at += Peek() == '\\' ? 2 : 1;
        }

        return text[start.._at++].Replace("\\/", "/", StringComparison.Ordinal);
    }

    /// <summary>Reads something inside brackets, which must not be nested too deep.</summary>
    public T Nested<T>(Func<T> read)
    {
        if (++_depth > ConstraintLimits.MaxNesting)
        {
            throw Refuse($"has groups nested more than {ConstraintLimits.MaxNesting} deep, the most that is supported");
        }

        var value = read();
        _depth--;
        return value;
    }

    public IReadOnlyList<AnchoredBranch> Pattern(string pattern) => Named(() => RegexParser.Parse(pattern, "a pattern"));

    public InvalidRequestException Refuse(string problem) => new($"{parameter} {problem} (on line {Line})", parameter);

    /// <summary>What is wrong with a part is wrong with the grammar.</summary>
    private T Named<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (InvalidRequestException exception)
        {
            throw Refuse($"is wrong in a part: {exception.Message}");
        }
    }

    private int Line => 1 + text.AsSpan(0, Math.Min(_at, text.Length)).Count('\n');

    private string Escaped()
    {
        var letter = Peek();
        _at++;
        return letter switch
        {
            'n' => "\n",
            'r' => "\r",
            't' => "\t",
            'f' => "\f",
            'b' => "\b",
            'v' => "\v",
            '0' => "\0",
            'x' => Hex(2),
            'u' => Hex(4),
            'U' => Hex(8),
            '\\' or '"' or '\'' or '[' or ']' or '/' or '-' or '^' or '.' or '$' => letter.ToString(),
            _ => throw Refuse($"has the escape \\{letter} in a text, which is not known"),
        };
    }

    private string Hex(int digits)
    {
        if (_at + digits > text.Length
            || !int.TryParse(
                text.AsSpan(_at, digits), System.Globalization.NumberStyles.AllowHexSpecifier,
                System.Globalization.CultureInfo.InvariantCulture, out var value)
            || !Rune.IsValid(value))
        {
            throw Refuse("has an escape \\x, \\u or \\U that is no character");
        }

        _at += digits;
        return new Rune(value).ToString();
    }
}
