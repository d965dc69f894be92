namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Cuts a template into tokens and applies whitespace control the way chat templates are rendered everywhere:
/// <c>trim_blocks</c> (a line break right after <c>%}</c> or <c>#}</c> goes), <c>lstrip_blocks</c> (blanks between the start of a line and
/// <c>{%</c> or <c>{#</c> go), <c>-</c> and <c>+</c> beside a delimiter override both, and one line break at the end of the template goes.
/// Called by <see cref="Parser"/>.</summary>
internal sealed class Lexer
{
    // Longest first, so that ** is not two *.
    private static readonly string[] Operators =
        ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|",
            ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;

    // Whether the character before the text now being read is a line break (or there is none).
    private bool _atLineStart = true;

    private bool _stripNextText;

    private Lexer(string source) => _source = source;

    public static List<Token> Tokenize(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Lexer lexer = new(source.EndsWith('\n') ? source[..^1] : source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            var tag = FindTag(_at);
            var textEnd = tag < 0 ? _source.Length : tag;
            var kind = tag < 0 ? '\0' : _source[tag + 1];
            var sign = tag >= 0 && tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            ReadText(textEnd, kind, sign);
            if (tag < 0)
            {
                break;
            }
            _at = tag + (sign == '\0' ? 2 : 3);
            switch (kind)
            {
                case '#':
                    SkipComment();
                    break;
                case '%' when RawBlockBody() is { } body:
                    ReadRaw(body);
                    break;
                case '%':
                    ReadTag(TokenKind.BlockStart, TokenKind.BlockEnd, "%}");
                    break;
                default:
                    ReadTag(TokenKind.OutputStart, TokenKind.OutputEnd, "}}");
                    break;
            }
        }
        Add(TokenKind.EndOfTemplate, "");
    }

    private int FindTag(int from)
    {
        while ((from = _source.IndexOf('{', from)) >= 0 && from + 1 < _source.Length)
        {
            if (_source[from + 1] is '{' or '%' or '#')
            {
                return from;
            }
            from++;
        }
        return -1;
    }

    private void ReadText(int end, char nextTag, char nextSign)
    {
        var text = _source.AsSpan(_at, end - _at);
        var lines = text.Count('\n');
        if (_stripNextText)
        {
            var trimmed = text.TrimStart();
            _atLineStart = trimmed.Length == text.Length ? _atLineStart : _source[end - trimmed.Length - 1] == '\n';
            _line += lines - trimmed.Count('\n');
            lines = trimmed.Count('\n');
            text = trimmed;
        }
        if (nextSign == '-')
        {
            text = text.TrimEnd();
        }
        else if (nextTag is '%' or '#' && nextSign != '+')
        {
            var lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || _atLineStart) && text[lineStart..].IsWhiteSpace())
            {
                text = text[..lineStart];
            }
        }
        if (text.Length > 0)
        {
            Add(TokenKind.Text, text.ToString());
        }
        _line += lines;
        _at = end;
    }

    private void SkipComment()
    {
        var end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw new TemplateError(_line, "a comment is not closed with '#}'");
        }
        var sign = end > _at && _source[end - 1] is '-' or '+' ? _source[end - 1] : '\0';
        _line += _source.AsSpan(_at, end - _at).Count('\n');
        EndTag(end + 2, sign, trimsLineBreak: true);
    }

    /// <summary>Where the body of <c>{% raw %}</c> starts if that is the tag at hand.</summary>
    private int? RawBlockBody()
    {
        var at = SkipBlanks(_at);
        if (!_source.AsSpan(at).StartsWith("raw", StringComparison.Ordinal))
        {
            return null;
        }
        at = SkipBlanks(at + 3);
        var sign = at < _source.Length && _source[at] is '-' or '+' ? 1 : 0;
        return _source.AsSpan(at + sign).StartsWith("%}", StringComparison.Ordinal) ? at + sign + 2 : null;
    }

    private void ReadRaw(int body)
    {
        var startLine = _line;
        _line += _source.AsSpan(_at, body - _at).Count('\n');
        EndTag(body, _source[body - 3], trimsLineBreak: true);
        for (var search = _at; (search = _source.IndexOf("{%", search, StringComparison.Ordinal)) >= 0; search += 2)
        {
            var sign = search + 2 < _source.Length ? _source[search + 2] : '\0';
            var name = SkipBlanks(search + (sign is '-' or '+' ? 3 : 2));
            if (!_source.AsSpan(name).StartsWith("endraw", StringComparison.Ordinal))
            {
                continue;
            }
            var close = SkipBlanks(name + "endraw".Length);
            var closeSign = close < _source.Length && _source[close] is '-' or '+' ? _source[close] : '\0';
            close += closeSign == '\0' ? 0 : 1;
            if (_source.AsSpan(close).StartsWith("%}", StringComparison.Ordinal))
            {
                ReadText(search, '%', sign);
                EndTag(close + 2, closeSign, trimsLineBreak: true);
                return;
            }
        }
        throw new TemplateError(startLine, "'{% raw %}' is not closed with '{% endraw %}'");
    }

    private void ReadTag(TokenKind start, TokenKind end, string closing)
    {
        Add(start, start == TokenKind.BlockStart ? "{%" : "{{");
        var startLine = _line;
        // Inside brackets a closing delimiter is not one: {{ {'a': {}} }}.
        Stack<char> brackets = new();
        while (true)
        {
            SkipWhitespace();
            if (_at >= _source.Length)
            {
                throw new TemplateError(startLine, $"a tag is not closed with '{closing}'");
            }
            if (brackets.Count == 0)
            {
                var sign = _source[_at] is '-' or '+' ? _source[_at] : '\0';
                var delimiter = _at + (sign == '\0' ? 0 : 1);
                if (_source.AsSpan(delimiter).StartsWith(closing, StringComparison.Ordinal))
                {
                    Add(end, closing);
                    EndTag(delimiter + 2, sign, trimsLineBreak: end == TokenKind.BlockEnd);
                    return;
                }
            }
            ReadExpressionToken(brackets);
        }
    }

    private void EndTag(int at, char sign, bool trimsLineBreak)
    {
        _at = at;
        _stripNextText = sign == '-';
        _atLineStart = false;
        if (trimsLineBreak && sign is not ('-' or '+') && _at < _source.Length && _source[_at] == '\n')
        {
            _at++;
            _line++;
            _atLineStart = true;
        }
    }

    private void ReadExpressionToken(Stack<char> brackets)
    {
        var c = _source[_at];
        if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (c == '_' || char.IsLetter(c))
        {
            var start = _at;
            while (_at < _source.Length && (_source[_at] == '_' || char.IsLetterOrDigit(_source[_at])))
            {
                _at++;
            }
            Add(TokenKind.Name, _source[start.._at]);
        }
        else if (c is '\'' or '"')
        {
            ReadString(c);
        }
        else
        {
            var text = Array.Find(Operators, o => _source.AsSpan(_at).StartsWith(o, StringComparison.Ordinal))
                ?? throw new TemplateError(_line, $"unexpected character '{c}'");
            Balance(brackets, text[0]);
            Add(TokenKind.Operator, text);
            _at += text.Length;
        }
    }

    private void Balance(Stack<char> brackets, char c)
    {
        int opening = "([{".IndexOf(c, StringComparison.Ordinal), closing = ")]}".IndexOf(c, StringComparison.Ordinal);
        if (opening >= 0)
        {
            brackets.Push(")]}"[opening]);
        }
        else if (closing >= 0 && (!brackets.TryPop(out var expected) || expected != c))
        {
            throw new TemplateError(_line, $"unexpected '{c}'");
        }
    }

    private void ReadNumber()
    {
        var start = _at;
        var isFloat = false;
        SkipDigits();
        if (_at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]))
        {
            isFloat = true;
            _at++;
            SkipDigits();
        }
        if (_at + 1 < _source.Length && _source[_at] is 'e' or 'E')
        {
            var exponent = _at + (_source[_at + 1] is '+' or '-' ? 2 : 1);
            if (exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
            {
                isFloat = true;
                _at = exponent;
                SkipDigits();
            }
        }
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[start.._at].Replace("_", "", StringComparison.Ordinal));
    }

    private void ReadString(char quote)
    {
        int start = _at + 1, startLine = _line;
        for (_at = start; _at < _source.Length && _source[_at] != quote; _at++)
        {
            _at += _source[_at] == '\\' ? 1 : 0;
        }
        if (_at >= _source.Length)
        {
            throw new TemplateError(startLine, $"a string is not closed with {quote}");
        }
        _line += _source.AsSpan(start, _at - start).Count('\n');
        _tokens.Add(new Token(TokenKind.String, StringLiteral.Unescape(_source.AsSpan(start, _at - start), startLine), startLine));
        _at++;
    }

    private void SkipDigits()
    {
        while (_at < _source.Length && (char.IsAsciiDigit(_source[_at]) || _source[_at] == '_'))
        {
            _at++;
        }
    }

    private void SkipWhitespace()
    {
        for (; _at < _source.Length && char.IsWhiteSpace(_source[_at]); _at++)
        {
            _line += _source[_at] == '\n' ? 1 : 0;
        }
    }

    private int SkipBlanks(int at)
    {
        while (at < _source.Length && char.IsWhiteSpace(_source[at]))
        {
            at++;
        }
        return at;
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, _line));
}
