namespace Cluster.Worker.Tokenization.Jinja;

/// <param name="Text">Template text, name, operator or digits; of a string its value, escapes resolved.</param>
/// <param name="Line">From 1.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    public bool IsName(string text) => Kind == TokenKind.Name && Text == text;

    public override string ToString() => Kind switch
    {
        TokenKind.EndOfTemplate => "end of template",
        TokenKind.Text => "template text",
        TokenKind.String => $"string '{Text}'",
        _ => $"'{Text}'",
    };
}
