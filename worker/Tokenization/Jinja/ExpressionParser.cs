using System.Globalization;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Recursive descent over Jinja's expressions. From loosest to tightest: <c>if else</c>, <c>or</c>, <c>and</c>, <c>not</c>,
/// comparison and <c>in</c>, <c>+ -</c>, <c>~</c>, <c>* / // %</c>, <c>**</c>, sign, postfix (<c>. [] ()</c>), filter and test
/// (Jinja template designer documentation, "Expressions"). Called by <see cref="Parser"/>.</summary>
internal sealed class ExpressionParser(TokenStream tokens)
{
    private static readonly string[] ComparisonOperators = ["==", "!=", "<", "<=", ">", ">="];

    public Expression Parse() => tokens.Nested(ParseConditional);

    /// <summary>An expression, or several with commas as one tuple.</summary>
    public Expression ParseTuple(bool withConditional = true)
    {
        var line = tokens.Current.Line;
        var first = ParseItem();
        if (!tokens.Current.IsOperator(","))
        {
            return first;
        }
        List<Expression> items = [first];
        while (tokens.SkipOperator(",") && !EndsTuple())
        {
            items.Add(ParseItem());
        }
        return new TupleLiteral(line, items);

        Expression ParseItem() => withConditional ? Parse() : tokens.Nested(ParseOr);
    }

    /// <summary>The filters after a block's body stands in for their operand: <c>{% set x | trim %}</c>. Null without any.</summary>
    public Expression? ParseFilters(Expression operand)
    {
        var result = operand;
        while (tokens.SkipOperator("|"))
        {
            result = ParseFilter(result);
        }
        return ReferenceEquals(result, operand) ? null : result;
    }

    /// <summary><c>name(arguments)</c> of a filter.</summary>
    public Expression ParseFilter(Expression operand)
    {
        var line = tokens.Current.Line;
        var name = ParseDottedName();
        return new FilterCall(line, operand, name, tokens.Current.IsOperator("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private bool EndsTuple() =>
        tokens.Current.Kind is TokenKind.BlockEnd or TokenKind.OutputEnd || tokens.Current.IsOperator(")") || tokens.Current.IsName("in");

    private Expression ParseConditional()
    {
        var result = ParseOr();
        while (tokens.Current.IsName("if"))
        {
            var line = tokens.Next().Line;
            var condition = ParseOr();
            var otherwise = tokens.SkipName("else") ? Parse() : null;
            result = new Conditional(line, condition, result, otherwise);
        }
        return result;
    }

    private Expression ParseOr()
    {
        var left = ParseAnd();
        while (tokens.Current.IsName("or"))
        {
            left = new Binary(tokens.Next().Line, "or", left, ParseAnd());
        }
        return left;
    }

    private Expression ParseAnd()
    {
        var left = ParseNot();
        while (tokens.Current.IsName("and"))
        {
            left = new Binary(tokens.Next().Line, "and", left, ParseNot());
        }
        return left;
    }

    private Expression ParseNot() => tokens.Current.IsName("not")
        ? new Unary(tokens.Next().Line, "not", tokens.Nested(ParseNot))
        : ParseComparison();

    private Expression ParseComparison()
    {
        var line = tokens.Current.Line;
        var first = ParseSum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (tokens.Current.Kind == TokenKind.Operator && ComparisonOperators.Contains(tokens.Current.Text))
            {
                rest.Add((tokens.Next().Text, ParseSum()));
            }
            else if (tokens.SkipName("in"))
            {
                rest.Add(("in", ParseSum()));
            }
            else if (tokens.Current.IsName("not") && tokens.Peek.IsName("in"))
            {
                tokens.Next();
                tokens.Next();
                rest.Add(("not in", ParseSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new Comparison(line, first, rest);
            }
        }
    }

    private Expression ParseSum() => ParseLeftAssociative(["+", "-"], ParseConcatenation);

    private Expression ParseConcatenation() => ParseLeftAssociative(["~"], ParseProduct);

    private Expression ParseProduct() => ParseLeftAssociative(["*", "/", "//", "%"], ParsePower);

    private Expression ParsePower() => ParseLeftAssociative(["**"], () => ParseSigned(withFilters: true));

    private Expression ParseLeftAssociative(string[] operators, Func<Expression> parseOperand)
    {
        var left = parseOperand();
        while (tokens.Current.Kind == TokenKind.Operator && operators.Contains(tokens.Current.Text))
        {
            var token = tokens.Next();
            left = new Binary(token.Line, token.Text, left, parseOperand());
        }
        return left;
    }

    private Expression ParseSigned(bool withFilters)
    {
        var token = tokens.Current;
        var result = token.IsOperator("-") || token.IsOperator("+")
            ? new Unary(tokens.Next().Line, token.Text, tokens.Nested(() => ParseSigned(withFilters: false)))
            : ParsePostfix(ParsePrimary());
        return withFilters ? ParseFiltersAndTests(result) : result;
    }

    private Expression ParseFiltersAndTests(Expression result)
    {
        while (true)
        {
            if (tokens.SkipOperator("|"))
            {
                result = ParseFilter(result);
            }
            else if (tokens.SkipName("is"))
            {
                result = ParseTest(result);
            }
            else if (tokens.Current.IsOperator("("))
            {
                result = new Call(tokens.Current.Line, result, ParseArguments());
            }
            else
            {
                return result;
            }
        }
    }

    private Expression ParseTest(Expression operand)
    {
        var line = tokens.Current.Line;
        var negated = tokens.SkipName("not");
        var name = ParseDottedName();
        var arguments = ArgumentList.Empty;
        if (tokens.Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (StartsTestArgument())
        {
            arguments = new ArgumentList([(ParsePostfix(ParsePrimary()), false)], []);
        }
        Expression test = new TestCall(line, operand, name, arguments);
        return negated ? new Unary(line, "not", test) : test;
    }

    // One argument may stand without parentheses: "is divisibleby 3".
    private bool StartsTestArgument() => tokens.Current.Kind switch
    {
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Name => tokens.Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not" or "recursive"),
        TokenKind.Operator => tokens.Current.Text is "[" or "{",
        _ => false,
    };

    private Expression ParsePostfix(Expression result)
    {
        while (true)
        {
            var line = tokens.Current.Line;
            if (tokens.SkipOperator("."))
            {
                result = tokens.Current.Kind == TokenKind.Integer
                    ? new IndexAccess(line, result, ParsePrimary())
                    : new AttributeAccess(line, result, tokens.ExpectName());
            }
            else if (tokens.SkipOperator("["))
            {
                result = ParseSubscript(result, line);
            }
            else if (tokens.Current.IsOperator("("))
            {
                result = new Call(line, result, ParseArguments());
            }
            else
            {
                return result;
            }
        }
    }

    private Expression ParseSubscript(Expression target, int line)
    {
        var start = tokens.Current.IsOperator(":") ? null : ParseTuple();
        if (tokens.SkipOperator("]"))
        {
            return new IndexAccess(line, target, start ?? throw tokens.Unexpected("an index"));
        }
        tokens.ExpectOperator(":");
        var stop = ParseBound();
        var step = tokens.SkipOperator(":") ? ParseBound() : null;
        tokens.ExpectOperator("]");
        return new SliceAccess(line, target, start, stop, step);

        Expression? ParseBound() => tokens.Current.IsOperator(":") || tokens.Current.IsOperator("]") ? null : Parse();
    }

    public ArgumentList ParseArguments()
    {
        List<(Expression, bool)> positional = [];
        List<(string, Expression)> named = [];
        tokens.ExpectOperator("(");
        while (!tokens.SkipOperator(")"))
        {
            if (tokens.Current.Kind == TokenKind.Name && tokens.Peek.IsOperator("="))
            {
                var name = tokens.Next().Text;
                tokens.Next();
                named.Add((name, Parse()));
            }
            else if (named.Count > 0)
            {
                throw new TemplateError(tokens.Current.Line, "a positional argument follows a named one");
            }
            else
            {
                var spread = tokens.SkipOperator("*");
                positional.Add((Parse(), spread));
            }
            if (!tokens.Current.IsOperator(")"))
            {
                tokens.ExpectOperator(",");
            }
        }
        return new ArgumentList(positional, named);
    }

    private Expression ParsePrimary()
    {
        var token = tokens.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                tokens.Next();
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.Line, true),
                    "false" or "False" => new Literal(token.Line, false),
                    "none" or "None" => new Literal(token.Line, null),
                    _ => new Variable(token.Line, token.Text),
                };
            case TokenKind.String:
                return ParseStrings();
            case TokenKind.Integer:
                return long.TryParse(tokens.Next().Text, NumberStyles.None, CultureInfo.InvariantCulture, out var integer)
                    ? new Literal(token.Line, integer)
                    : throw new TemplateError(token.Line, $"{token.Text} is beyond 64 bits");
            case TokenKind.Float:
                return new Literal(token.Line, double.Parse(tokens.Next().Text, CultureInfo.InvariantCulture));
            default:
                return tokens.SkipOperator("(") ? ParseParenthesized(token.Line)
                    : tokens.SkipOperator("[") ? new ListLiteral(token.Line, ParseItems())
                    : tokens.SkipOperator("{") ? new DictLiteral(token.Line, ParseEntries())
                    : throw tokens.Unexpected("an expression");
        }
    }

    // Adjacent strings are one, as in Python.
    private Literal ParseStrings()
    {
        var token = tokens.Next();
        var text = token.Text;
        while (tokens.Current.Kind == TokenKind.String)
        {
            text += tokens.Next().Text;
        }
        return new Literal(token.Line, text);
    }

    private Expression ParseParenthesized(int line)
    {
        if (tokens.SkipOperator(")"))
        {
            return new TupleLiteral(line, []);
        }
        var result = ParseTuple();
        tokens.ExpectOperator(")");
        return result;
    }

    private List<Expression> ParseItems()
    {
        List<Expression> items = [];
        while (!tokens.SkipOperator("]"))
        {
            items.Add(Parse());
            if (!tokens.Current.IsOperator("]"))
            {
                tokens.ExpectOperator(",");
            }
        }
        return items;
    }

    private List<(Expression, Expression)> ParseEntries()
    {
        List<(Expression, Expression)> entries = [];
        while (!tokens.SkipOperator("}"))
        {
            var key = Parse();
            tokens.ExpectOperator(":");
            entries.Add((key, Parse()));
            if (!tokens.Current.IsOperator("}"))
            {
                tokens.ExpectOperator(",");
            }
        }
        return entries;
    }

    private string ParseDottedName()
    {
        var name = tokens.ExpectName();
        while (tokens.SkipOperator("."))
        {
            name += "." + tokens.ExpectName();
        }
        return name;
    }
}
