namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The parsers' place in the tokens, and the bound on how deep they may nest.</summary>
internal sealed class TokenStream(List<Token> tokens)
{
    // Far beyond any template; keeps a hostile one off the end of the stack.
    private const int MaxDepth = 200;

    private int _at;
    private int _depth;

    public Token Current => tokens[_at];

    public Token Peek => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    public Token Next()
    {
        var token = tokens[_at];
        _at = Math.Min(_at + 1, tokens.Count - 1);
        return token;
    }

    public bool SkipOperator(string text) => Skip(Current.IsOperator(text));

    public bool SkipName(string text) => Skip(Current.IsName(text));

    public void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
        {
            throw Unexpected($"'{text}'");
        }
    }

    public void ExpectName(string text)
    {
        if (!SkipName(text))
        {
            throw Unexpected($"'{text}'");
        }
    }

    public string ExpectName() => Current.Kind == TokenKind.Name ? Next().Text : throw Unexpected("a name");

    public void Expect(TokenKind kind, string what)
    {
        if (!Skip(Current.Kind == kind))
        {
            throw Unexpected(what);
        }
    }

    public TemplateError Unexpected(string expected) => new(Current.Line, $"expected {expected}, found {Current}");

    /// <summary>Runs a parsing step one level deeper.</summary>
    public T Nested<T>(Func<T> parse)
    {
        if (++_depth > MaxDepth)
        {
            throw new TemplateError(Current.Line, $"nested deeper than {MaxDepth} levels");
        }
        var result = parse();
        _depth--;
        return result;
    }

    private bool Skip(bool matches)
    {
        if (matches)
        {
            Next();
        }
        return matches;
    }
}
