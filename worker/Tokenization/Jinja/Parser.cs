namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Template source → statements. Called by <see cref="Template"/>; expressions are left to
/// <see cref="ExpressionParser"/>.</summary>
internal sealed class Parser
{
    private readonly TokenStream _tokens;
    private readonly ExpressionParser _expressions;
    private int _loops;

    private Parser(string source)
    {
        _tokens = new TokenStream(Lexer.Tokenize(source));
        _expressions = new ExpressionParser(_tokens);
    }

    /// <exception cref="TemplateError">The source is not a template this interpreter knows.</exception>
    public static IReadOnlyList<Statement> Parse(string source)
    {
        Parser parser = new(source);
        var statements = parser.ParseUntil();
        return parser._tokens.Current.Kind == TokenKind.EndOfTemplate ? statements : throw parser._tokens.Unexpected("a statement");
    }

    /// <summary>Statements up to a block tag of one of these names, whose name is consumed, or to the end of the template.</summary>
    private List<Statement> ParseUntil(params ReadOnlySpan<string> endNames)
    {
        List<Statement> statements = [];
        while (true)
        {
            var token = _tokens.Current;
            switch (token.Kind)
            {
                case TokenKind.Text:
                    statements.Add(new TextOutput(token.Line, _tokens.Next().Text));
                    break;
                case TokenKind.OutputStart:
                    _tokens.Next();
                    statements.Add(new ValueOutput(token.Line, _expressions.ParseTuple()));
                    _tokens.Expect(TokenKind.OutputEnd, "'}}'");
                    break;
                case TokenKind.BlockStart when endNames.Contains(_tokens.Peek.Text):
                    _tokens.Next();
                    return statements;
                case TokenKind.BlockStart:
                    _tokens.Next();
                    statements.Add(_tokens.Nested(ParseStatement));
                    break;
                case TokenKind.EndOfTemplate when endNames.Length > 0:
                    throw _tokens.Unexpected("'{% " + string.Join(" %}' or '{% ", endNames.ToArray()) + " %}'");
                default:
                    return statements;
            }
        }
    }

    private Statement ParseStatement()
    {
        var line = _tokens.Current.Line;
        var name = _tokens.ExpectName();
        switch (name)
        {
            case "for":
                return ParseFor(line);
            case "if":
                return ParseIf(line);
            case "set":
                return ParseSet(line);
            case "macro":
                return ParseMacro(line);
            case "call":
                return ParseCallBlock(line);
            case "filter":
                var filter = _expressions.ParseFilter(new Captured(line));
                filter = _expressions.ParseFilters(filter) ?? filter;
                return new FilterBlock(line, ParseBody("endfilter"), filter);
            case "with":
                return ParseWith(line);
            case "generation":
                return new Scoped(line, [], ParseBody("endgeneration"));
            case "break" or "continue" when _loops > 0:
                EndTag();
                return name == "break" ? new Break(line) : new Continue(line);
            case "break" or "continue":
                throw new TemplateError(line, $"'{name}' outside of a loop");
            default:
                throw new TemplateError(line, $"unknown or misplaced statement '{name}'");
        }
    }

    private For ParseFor(int line)
    {
        var target = ParseTargets();
        _tokens.ExpectName("in");
        var items = _expressions.ParseTuple(withConditional: false);
        var condition = _tokens.SkipName("if") ? _expressions.Parse() : null;
        var recursive = _tokens.SkipName("recursive");
        EndTag();
        _loops++;
        var body = ParseUntil("else", "endfor");
        _loops--;
        List<Statement> otherwise = [];
        if (_tokens.SkipName("else"))
        {
            EndTag();
            otherwise = ParseUntil("endfor");
        }
        _tokens.ExpectName("endfor");
        EndTag();
        return new For(line, target, items, condition, body, otherwise, recursive);
    }

    private If ParseIf(int line)
    {
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        List<Statement> otherwise = [];
        do
        {
            var condition = _expressions.ParseTuple();
            EndTag();
            branches.Add((condition, ParseUntil("elif", "else", "endif")));
        }
        while (_tokens.SkipName("elif"));
        if (_tokens.SkipName("else"))
        {
            EndTag();
            otherwise = ParseUntil("endif");
        }
        _tokens.ExpectName("endif");
        EndTag();
        return new If(line, branches, otherwise);
    }

    private Statement ParseSet(int line)
    {
        var target = ParseTargets();
        if (_tokens.SkipOperator("="))
        {
            var value = _expressions.ParseTuple();
            EndTag();
            return new Assignment(line, target, value);
        }
        var filter = _expressions.ParseFilters(new Captured(line));
        return new BlockAssignment(line, target, ParseBody("endset"), filter);
    }

    private MacroDefinition ParseMacro(int line)
    {
        var name = _tokens.ExpectName();
        var parameters = ParseParameters();
        return new MacroDefinition(line, name, parameters, ParseFunctionBody("endmacro"));
    }

    private CallBlock ParseCallBlock(int line)
    {
        var parameters = _tokens.Current.IsOperator("(") ? ParseParameters() : [];
        if (_expressions.Parse() is not Call call)
        {
            throw new TemplateError(line, "'call' needs a macro call");
        }
        return new CallBlock(line, parameters, call, ParseFunctionBody("endcall"));
    }

    // A loop around a macro is not a loop its body could break out of.
    private List<Statement> ParseFunctionBody(string endName)
    {
        (var outerLoops, _loops) = (_loops, 0);
        var body = ParseBody(endName);
        _loops = outerLoops;
        return body;
    }

    private Scoped ParseWith(int line)
    {
        List<(Target, Expression)> assignments = [];
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            var target = ParseTarget();
            _tokens.ExpectOperator("=");
            assignments.Add((target, _expressions.Parse()));
            if (_tokens.Current.Kind != TokenKind.BlockEnd)
            {
                _tokens.ExpectOperator(",");
            }
        }
        return new Scoped(line, assignments, ParseBody("endwith"));
    }

    private List<Parameter> ParseParameters()
    {
        List<Parameter> parameters = [];
        _tokens.ExpectOperator("(");
        while (!_tokens.SkipOperator(")"))
        {
            var name = _tokens.ExpectName();
            parameters.Add(new Parameter(name, _tokens.SkipOperator("=") ? _expressions.Parse() : null));
            if (!_tokens.Current.IsOperator(")"))
            {
                _tokens.ExpectOperator(",");
            }
        }
        return parameters;
    }

    private Target ParseTargets()
    {
        var line = _tokens.Current.Line;
        var first = ParseTarget();
        if (!_tokens.Current.IsOperator(","))
        {
            return first;
        }
        List<Target> items = [first];
        while (_tokens.SkipOperator(",")
            && !_tokens.Current.IsName("in")
            && !_tokens.Current.IsOperator("=")
            && !_tokens.Current.IsOperator(")"))
        {
            items.Add(ParseTarget());
        }
        return new TupleTarget(line, items);
    }

    private Target ParseTarget()
    {
        var line = _tokens.Current.Line;
        if (_tokens.SkipOperator("("))
        {
            var inner = _tokens.Nested(ParseTargets);
            _tokens.ExpectOperator(")");
            return inner;
        }
        var name = _tokens.ExpectName();
        return _tokens.SkipOperator(".") ? new AttributeTarget(line, name, _tokens.ExpectName()) : new NameTarget(line, name);
    }

    private List<Statement> ParseBody(string endName)
    {
        EndTag();
        var body = ParseUntil(endName);
        _tokens.ExpectName(endName);
        if (endName is "endmacro" && _tokens.Current.Kind == TokenKind.Name)
        {
            // The macro's name may be repeated at its end.
            _tokens.Next();
        }
        EndTag();
        return body;
    }

    private void EndTag() => _tokens.Expect(TokenKind.BlockEnd, "'%}'");
}
