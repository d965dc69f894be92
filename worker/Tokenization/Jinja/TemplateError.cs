namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Lexer, parser or interpreter found something wrong at a line of the template. <see cref="Template"/> turns it into a
/// <see cref="ChatTemplateException"/> that quotes the line.</summary>
internal sealed class TemplateError(int line, string message, Exception? inner = null) : Exception(message, inner)
{
    public int Line { get; } = line;
}
