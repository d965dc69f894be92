using System.Globalization;
using System.Numerics;
using System.Text;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>Reads Python's literals (texts, numbers, None, lists, tuples, dicts) and calls with keywords, and writes them as
/// JSON.</summary>
internal ref struct PythonLiteral
{
    private enum Entry
    {
        /// <summary>Of a list or a tuple.</summary>
        Item,

        /// <summary>Of a dict: <c>"name": value</c>.</summary>
        Pair,

        /// <summary>Of a call: <c>name=value</c>.</summary>
        Keyword,
    }

    private readonly ReadOnlySpan<char> _text;
    private readonly StringBuilder _json = new();
    private int _at;
    private int _depth;

    private PythonLiteral(ReadOnlySpan<char> text) => _text = text;

    /// <summary>A literal as JSON; null when the text is none.</summary>
    public static string? ToJson(string text)
    {
        var reader = new PythonLiteral(text);
        return reader.Value() && reader.IsAtEnd() ? reader._json.ToString() : null;
    }

    /// <summary>A call such as <c>weather(city="Bern", days=[1, 2])</c>.</summary>
    /// <returns>False when it is none, or one with arguments that have no names.</returns>
    public static bool TryCall(ReadOnlySpan<char> text, out string name, out string arguments)
    {
        (name, arguments) = ("", "");
        var reader = new PythonLiteral(text);
        reader.Blanks();
        name = reader.Name(dotted: true);
        if (name.Length == 0 || !reader.Is('(') || !reader.Listed(')', Entry.Keyword) || !reader.IsAtEnd())
        {
            return false;
        }

        arguments = reader._json.ToString();
        return true;
    }

    private bool IsAtEnd()
    {
        Blanks();
        return _at == _text.Length;
    }

    private void Blanks()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
        {
            _at++;
        }
    }

    private bool Is(char c)
    {
        Blanks();
        var found = _at < _text.Length && _text[_at] == c;
        _at += found ? 1 : 0;
        return found;
    }

    private string Name(bool dotted)
    {
        var start = _at;
        while (_at < _text.Length && (char.IsLetterOrDigit(_text[_at]) || _text[_at] == '_' || (dotted && _text[_at] is '.' or '-')))
        {
            _at++;
        }

        return char.IsAsciiDigit(_at > start ? _text[start] : '0') ? "" : _text[start.._at].ToString();
    }

    private bool Value()
    {
        Blanks();
        if (_at == _text.Length)
        {
            return false;
        }

        switch (_text[_at])
        {
            case '"' or '\'':
                return Texts();
            case '[':
                _at++;
                return Listed(']', Entry.Item);
            case '(':
                _at++;
                return Listed(')', Entry.Item);
            case '{':
                _at++;
                return Listed('}', Entry.Pair);
            case var c when char.IsAsciiDigit(c) || c is '-' or '+' or '.':
                return Number();
            default:
                var word = Name(dotted: false) switch
                {
                    "True" or "true" => "true",
                    "False" or "false" => "false",
                    "None" or "null" => "null",
                    _ => null,
                };
                _json.Append(word);
                return word is not null;
        }
    }

    /// <summary>Entries between commas, the last of which may be too many.</summary>
    /// <param name="close">In Python; JSON's follows from the entries.</param>
    private bool Listed(char close, Entry entry)
    {
        if (++_depth > JsonLiteral.MaxDepth)
        {
            return false;
        }

        _json.Append(entry == Entry.Item ? '[' : '{');
        for (var first = true; !Is(close); first = false)
        {
            if (!first && !Is(','))
            {
                return false;
            }

            if (!first && Is(close))
            {
                break;
            }

            _json.Append(first ? "" : ", ");
            if (!(entry == Entry.Item ? Value() : Member(entry)))
            {
                return false;
            }
        }

        _json.Append(entry == Entry.Item ? ']' : '}');
        _depth--;
        return true;
    }

    private bool Member(Entry entry)
    {
        Blanks();
        if (!(entry == Entry.Keyword ? Keyword() : Key()))
        {
            return false;
        }

        _json.Append(": ");
        return Value();
    }

    private bool Keyword()
    {
        var name = Name(dotted: false);
        _json.Append(JsonLiteral.Quote(name));
        return name.Length > 0 && Is('=');
    }

    /// <summary>JSON has texts for keys alone.</summary>
    private bool Key()
    {
        var start = _json.Length;
        if (!Value())
        {
            return false;
        }

        if (_json[start] != '"')
        {
            _json.Insert(start, '"').Append('"');
        }

        return _json[start + 1] is not ('[' or '{') && Is(':');
    }

    private bool Number()
    {
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '_' or '-' or '+'))
        {
            _at++;
        }

        var text = _text[start.._at].ToString().Replace("_", "", StringComparison.Ordinal);
        if (BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
        {
            _json.Append(CultureInfo.InvariantCulture, $"{whole}");
            return true;
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!double.TryParse(text, Style, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
        {
            return false;
        }

        _json.Append(JsonLiteral.IsValid(text) ? text : number.ToString("R", CultureInfo.InvariantCulture));
        return true;
    }

    /// <summary>Texts that follow one another are one.</summary>
    private bool Texts()
    {
        StringBuilder result = new();
        do
        {
            if (!Text(result))
            {
                return false;
            }

            Blanks();
        }
        while (_at < _text.Length && _text[_at] is '"' or '\'');
        _json.Append(JsonLiteral.Quote(result.ToString()));
        return true;
    }

    private bool Text(StringBuilder result)
    {
        var quote = _text[_at];
        ReadOnlySpan<char> triple = [quote, quote, quote];
        var close = _text[_at..].StartsWith(triple) ? triple : triple[..1];
        for (_at += close.Length; _at < _text.Length; _at++)
        {
            if (_text[_at..].StartsWith(close))
            {
                _at += close.Length;
                return true;
            }

            if (_text[_at] != '\\')
            {
                result.Append(_text[_at]);
            }
            else if (++_at == _text.Length || !Escape(result))
            {
                return false;
            }
        }

        return false;
    }

    private bool Escape(StringBuilder result)
    {
        var c = _text[_at];
        var digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (_at + digits >= _text.Length
                || !int.TryParse(_text.Slice(_at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                || code is < 0 or > 0x10FFFF)
            {
                return false;
            }

            _ = code > char.MaxValue ? result.Append(char.ConvertFromUtf32(code)) : result.Append((char)code);
            _at += digits;
            return true;
        }

        _ = c switch
        {
            'n' => result.Append('\n'),
            't' => result.Append('\t'),
            'r' => result.Append('\r'),
            'b' => result.Append('\b'),
            'f' => result.Append('\f'),
            '0' => result.Append('\0'),
            '\n' => result,
            '\\' or '\'' or '"' => result.Append(c),
            _ => result.Append('\\').Append(c),
        };
        return true;
    }
}
