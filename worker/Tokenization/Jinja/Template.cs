namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>A parsed Jinja template, the subset and the settings of chat templates (<c>trim_blocks</c>, <c>lstrip_blocks</c>, loop
/// controls). Immutable; renderings may run at once. Used by <see cref="ChatTemplate"/>.</summary>
internal sealed class Template
{
    /// <summary>Longest published templates have some 20 thousand characters.</summary>
    public const int MaxLength = 1 << 20;

    private readonly string _source;
    private readonly IReadOnlyList<Statement> _statements;

    /// <exception cref="ChatTemplateException">The source is no valid template.</exception>
    public Template(string source)
    {
        if (source.Length > MaxLength)
        {
            throw new ChatTemplateException($"the chat template has {source.Length} characters; at most {MaxLength} are read");
        }
        _source = source;
        try
        {
            _statements = Parser.Parse(source);
        }
        catch (TemplateError e)
        {
            throw At(e.Line, e.Message, e);
        }
    }

    /// <summary>The source has this word, so that the template may know of it.</summary>
    public bool Mentions(string word) => _source.Contains(word, StringComparison.Ordinal);

    /// <exception cref="ChatTemplateException">The template failed on these values or used up its limits.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables, TimeProvider clock, RenderLimits limits)
    {
        Interpreter interpreter = new(limits);
        try
        {
            return interpreter.Run(_statements, variables, clock);
        }
        catch (RenderError e)
        {
            throw At(interpreter.Line, e.Message, e);
        }
        catch (InsufficientExecutionStackException e)
        {
            throw At(interpreter.Line, "values or calls are nested too deeply", e);
        }
    }

    private ChatTemplateException At(int line, string message, Exception inner)
    {
        const int MaxQuoted = 120;
        const int MaxMessage = 4096;
        message = message.Length <= MaxMessage ? message : message[..MaxMessage] + "…";
        var text = _source.ReplaceLineEndings("\n").Split('\n').ElementAtOrDefault(line - 1)?.Trim() ?? "";
        text = text.Length <= MaxQuoted ? text : text[..MaxQuoted] + "…";
        return new ChatTemplateException($"chat template line {line}: {message}\n  {text}", inner);
    }
}
