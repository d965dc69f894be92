using System.Globalization;
using System.Text;

namespace Cluster.Operator.Manifests.Schema.Cel;

internal enum CelTokenKind
{
    End,
    Identifier,
    Integer,
    Double,
    Text,

    /// <summary>An operator or a bracket: <see cref="CelToken.Text"/> says which.</summary>
    Symbol,
}

/// <param name="Text">An identifier's name, a number's digits, a string's value, a symbol.</param>
internal readonly record struct CelToken(CelTokenKind Kind, string Text, int Position);

/// <summary>Splits CEL source into tokens. Called by <see cref="CelParser"/>. Grammar: cel-spec, langdef.md, "Syntax". Unsigned integers
/// and bytes are refused: no JSON value has these types.</summary>
internal ref struct CelLexer(string source)
{
    private static readonly string[] Symbols = [
        "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"];

    private int _at;

    /// <returns>The tokens, the last of kind End.</returns>
    /// <exception cref="CelSyntaxException">A character or literal that is none of CEL's.</exception>
    public static List<CelToken> Split(string source)
    {
        var lexer = new CelLexer(source);
        var tokens = new List<CelToken>();
        do
        {
            tokens.Add(lexer.Next());
        }
        while (tokens[^1].Kind != CelTokenKind.End);
        return tokens;
    }

    private CelToken Next()
    {
        SkipSpace();
        var start = _at;
        if (_at == source.Length)
        {
            return new(CelTokenKind.End, "<EOF>", start);
        }
        var first = source[_at];
        if (StringPrefix() is var (raw, quoteAt))
        {
            _at = quoteAt;
            return new(CelTokenKind.Text, ReadString(raw), start);
        }
        if (char.IsAsciiLetter(first) || first == '_')
        {
            while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_'))
            {
                _at++;
            }
            return new(CelTokenKind.Identifier, source[start.._at], start);
        }
        if (char.IsAsciiDigit(first) || (first == '.' && _at + 1 < source.Length && char.IsAsciiDigit(source[_at + 1])))
        {
            return ReadNumber();
        }
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(source, _at, symbol, 0, symbol.Length) == 0)
            {
                _at += symbol.Length;
                return new(CelTokenKind.Symbol, symbol, start);
            }
        }
        throw new CelSyntaxException($"Syntax error: token recognition error at: '{first}'", start);
    }

    private void SkipSpace()
    {
        while (_at < source.Length)
        {
            if (char.IsWhiteSpace(source[_at]))
            {
                _at++;
            }
            else if (string.CompareOrdinal(source, _at, "//", 0, 2) == 0)
            {
                var end = source.IndexOf('\n', _at);
                _at = end < 0 ? source.Length : end;
            }
            else
            {
                return;
            }
        }
    }

    private CelToken ReadNumber()
    {
        var start = _at;
        if (source[_at] == '0' && _at + 1 < source.Length && source[_at + 1] is 'x' or 'X')
        {
            _at += 2;
            SkipDigits(hex: true);
            return Integer(start);
        }
        SkipDigits(hex: false);
        var isDouble = false;
        if (_at + 1 < source.Length && source[_at] == '.' && char.IsAsciiDigit(source[_at + 1]))
        {
            isDouble = true;
            _at++;
            SkipDigits(hex: false);
        }
        if (_at < source.Length && source[_at] is 'e' or 'E')
        {
            isDouble = true;
            _at++;
            if (_at < source.Length && source[_at] is '+' or '-')
            {
                _at++;
            }
            SkipDigits(hex: false);
        }
        return isDouble ? new(CelTokenKind.Double, source[start.._at], start) : Integer(start);
    }

    private readonly CelToken Integer(int start) =>
        _at < source.Length && source[_at] is 'u' or 'U'
            ? throw new CelSyntaxException("unsigned integers are not supported by the local API server", start)
            : new(CelTokenKind.Integer, source[start.._at], start);

    private void SkipDigits(bool hex)
    {
        while (_at < source.Length && (hex ? char.IsAsciiHexDigit(source[_at]) : char.IsAsciiDigit(source[_at])))
        {
            _at++;
        }
    }

    /// <summary>Where the quote is, if a string begins here: <c>'…'</c>, <c>r'…'</c>, and the same with double quotes.</summary>
    private readonly (bool Raw, int QuoteAt)? StringPrefix()
    {
        var at = _at;
        var raw = false;
        for (var letters = 0; letters < 2 && at < source.Length && source[at] is 'r' or 'R' or 'b' or 'B'; letters++)
        {
            raw |= source[at] is 'r' or 'R';
            at++;
        }
        if (at == source.Length || source[at] is not ('\'' or '"'))
        {
            return null;
        }
        return source.AsSpan(_at, at - _at).ContainsAny('b', 'B')
            ? throw new CelSyntaxException("bytes are not supported by the local API server", _at)
            : (raw, at);
    }

    private string ReadString(bool raw)
    {
        var start = _at;
        var quote = source[_at];
        var triple = string.CompareOrdinal(source, _at, new string(quote, 3), 0, 3) == 0;
        var end = new string(quote, triple ? 3 : 1);
        _at += end.Length;
        var text = new StringBuilder();
        while (string.CompareOrdinal(source, _at, end, 0, end.Length) != 0)
        {
            if (_at >= source.Length || (!triple && source[_at] is '\n' or '\r'))
            {
                throw new CelSyntaxException("Syntax error: a string is not closed", start);
            }
            if (source[_at] == '\\' && !raw)
            {
                ReadEscape(text);
            }
            else
            {
                text.Append(source[_at++]);
            }
        }
        _at += end.Length;
        return text.ToString();
    }

    private void ReadEscape(StringBuilder text)
    {
        var start = _at++;
        var code = _at < source.Length ? source[_at++] : '\0';
        switch (code)
        {
            case '\\' or '\'' or '"' or '`' or '?':
                text.Append(code);
                break;
            case 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v':
                text.Append("\a\b\f\n\r\t\v"["abfnrtv".IndexOf(code)]);
                break;
            case 'x' or 'X':
                AppendCodePoint(text, start, 2, 16);
                break;
            case 'u':
                AppendCodePoint(text, start, 4, 16);
                break;
            case 'U':
                AppendCodePoint(text, start, 8, 16);
                break;
            case >= '0' and <= '3':
                _at--;
                AppendCodePoint(text, start, 3, 8);
                break;
            default:
                throw new CelSyntaxException($"Syntax error: '\\{code}' is no escape sequence", start);
        }
    }

    private void AppendCodePoint(StringBuilder text, int start, int digits, int radix)
    {
        var value = 0L;
        for (var i = 0; i < digits; i++, _at++)
        {
            var digit = _at < source.Length
                && int.TryParse(source.AsSpan(_at, 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var parsed)
                ? parsed
                : radix;
            value = digit < radix
                ? (value * radix) + digit
                : throw new CelSyntaxException($"Syntax error: an escape sequence needs {digits} digits", start);
        }
        text.Append(
            value <= int.MaxValue && Rune.TryCreate((int)value, out var rune)
                ? rune.ToString()
                : throw new CelSyntaxException("Syntax error: an escape sequence is no code point", start));
    }
}
