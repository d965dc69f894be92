using System.Globalization;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Parses CEL source into a <see cref="CelExpression"/>, macros expanded. Called by <see cref="CelProgram"/>. Grammar: cel-spec,
/// langdef.md, "Syntax".</summary>
internal sealed class CelParser
{
    /// <summary>As cel-go's default; also what keeps the evaluator's recursion within a thread's stack.</summary>
    public const int MaxDepth = 250;

    private const int MaxSourceLength = 64 << 10;

    private static readonly HashSet<string> Reserved =
        ["as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return",
            "var", "void", "while"];

    private static readonly Dictionary<string, CelMacro> Macros = new()
    {
        ["all"] = CelMacro.All,
        ["exists"] = CelMacro.Exists,
        ["exists_one"] = CelMacro.ExistsOne,
        ["map"] = CelMacro.Map,
        ["filter"] = CelMacro.Filter,
    };

    private readonly List<CelToken> _tokens;
    private int _at;
    private int _nesting;

    private CelParser(string source) => _tokens = CelLexer.Split(source);

    private CelToken Current => _tokens[_at];

    /// <exception cref="CelSyntaxException">It is no CEL, or it nests too deep.</exception>
    public static CelExpression Parse(string source)
    {
        if (source.Length > MaxSourceLength)
        {
            throw new CelSyntaxException($"the expression is longer than {MaxSourceLength} characters", 0);
        }
        var parser = new CelParser(source);
        var expression = parser.Expression();
        return parser.Current.Kind == CelTokenKind.End ? expression : throw parser.Unexpected();
    }

    private CelExpression Expression()
    {
        if (++_nesting > MaxDepth)
        {
            throw new CelSyntaxException($"expression recursion limit exceeded: {MaxDepth}", Current.Position);
        }
        var condition = Logical(isAnd: false);
        var position = Current.Position;
        if (Take("?"))
        {
            var then = Logical(isAnd: false);
            Require(":");
            condition = Bounded(new CelConditional(condition, then, Expression(), position));
        }
        _nesting--;
        return condition;
    }

    private CelExpression Logical(bool isAnd)
    {
        var terms = new List<CelExpression>();
        var position = Current.Position;
        do
        {
            terms.Add(isAnd ? Binary(1) : Logical(isAnd: true));
        }
        while (Take(isAnd ? "&&" : "||"));
        return terms.Count == 1 ? terms[0] : Bounded(new CelLogical(isAnd, terms, position));
    }

    private CelExpression Binary(int lowest)
    {
        var left = Unary();
        while (Precedence(Current) is var precedence && precedence >= lowest)
        {
            var symbol = _tokens[_at++];
            left = Bounded(
                new CelCall(symbol.Text == "in" ? "@in" : $"_{symbol.Text}_", null, [left, Binary(precedence + 1)], symbol.Position));
        }
        return left;
    }

    private static int Precedence(CelToken token) => token switch
    {
        { Kind: CelTokenKind.Identifier, Text: "in" } => 1,
        { Kind: not CelTokenKind.Symbol } => 0,
        { Text: "==" or "!=" or "<" or "<=" or ">" or ">=" } => 1,
        { Text: "+" or "-" } => 2,
        { Text: "*" or "/" or "%" } => 3,
        _ => 0,
    };

    private CelExpression Unary()
    {
        var signs = new Stack<CelToken>();
        while (Current is { Kind: CelTokenKind.Symbol, Text: "!" or "-" })
        {
            signs.Push(_tokens[_at++]);
        }

        // The smallest integer has no positive twin: its sign belongs to the literal.
        var value = Current.Kind is CelTokenKind.Integer or CelTokenKind.Double && signs.TryPeek(out var nearest) && nearest.Text == "-"
            ? Member(Number(signs.Pop().Text, _tokens[_at++]))
            : Member(Primary());
        while (signs.TryPop(out var sign))
        {
            value = Bounded(new CelCall($"{sign.Text}_", null, [value], sign.Position));
        }
        return value;
    }

    private CelExpression Member(CelExpression target)
    {
        while (true)
        {
            var position = Current.Position;
            if (Take("["))
            {
                var index = Expression();
                Require("]");
                target = Bounded(new CelCall("_[_]", null, [target, index], position));
            }
            else if (Take("."))
            {
                var name = Name(_tokens[_at], isField: true);
                target = Bounded(Take("(") ? Call(name, target, position) : new CelSelect(target, name, IsTest: false, position));
            }
            else
            {
                return target;
            }
        }
    }

    private CelExpression Primary()
    {
        var token = _tokens[_at];
        switch (token.Kind)
        {
            case CelTokenKind.Integer or CelTokenKind.Double:
                _at++;
                return Number("", token);
            case CelTokenKind.Text:
                _at++;
                return new CelLiteral(token.Text, token.Position);
            case CelTokenKind.Identifier when token.Text is "true" or "false":
                _at++;
                return new CelLiteral(token.Text == "true", token.Position);
            case CelTokenKind.Identifier when token.Text == "null":
                _at++;
                return new CelLiteral(null, token.Position);
            case CelTokenKind.Identifier:
                var name = Name(token, isField: false);
                return Bounded(Take("(") ? Call(name, null, token.Position) : new CelIdentifier(name, token.Position));
            case CelTokenKind.Symbol when Take("("):
                var inner = Expression();
                Require(")");
                return inner;
            case CelTokenKind.Symbol when Take("["):
                return Bounded(new CelListLiteral(Sequence("]", Expression), token.Position));
            case CelTokenKind.Symbol when Take("{"):
                return Bounded(new CelMapLiteral(Sequence("}", Entry), token.Position));
            default:
                throw Unexpected();
        }
    }

    private (CelExpression Key, CelExpression Value) Entry()
    {
        var key = Expression();
        Require(":");
        return (key, Expression());
    }

    private CelExpression Call(string name, CelExpression? target, int position)
    {
        var arguments = Sequence(")", Expression);
        if (target is null && name == "has")
        {
            return arguments is [CelSelect { IsTest: false } select]
                ? select with { IsTest = true }
                : throw new CelSyntaxException("invalid argument to has() macro", position);
        }
        if (target is null
            || !Macros.TryGetValue(name, out var macro)
            || arguments.Count != (macro == CelMacro.Map && arguments.Count == 3 ? 3 : 2))
        {
            return new CelCall(name, target, arguments, position);
        }
        if (arguments[0] is not CelIdentifier variable)
        {
            throw new CelSyntaxException("argument must be a simple name", arguments[0].Position);
        }
        return macro == CelMacro.Map
            ? new CelComprehension(macro, target, variable.Name, arguments.Count == 3 ? arguments[1] : null, arguments[^1], position)
            : new CelComprehension(macro, target, variable.Name, arguments[1], null, position);
    }

    /// <summary>Items up to the closing bracket, with commas between; a comma after the last is allowed except in calls.</summary>
    private List<T> Sequence<T>(string close, Func<T> item)
    {
        var items = new List<T>();
        while (!Take(close))
        {
            if (items.Count > 0)
            {
                Require(",");
                if (close != ")" && Take(close))
                {
                    break;
                }
            }
            items.Add(item());
        }
        return items;
    }

    private static CelLiteral Number(string sign, CelToken token)
    {
        if (token.Kind == CelTokenKind.Double)
        {
            return double.TryParse(sign + token.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                && double.IsFinite(number)
                ? new CelLiteral(number, token.Position)
                : throw new CelSyntaxException($"invalid double literal: {token.Text}", token.Position);
        }
        var hex = token.Text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var parsed = hex
            ? Int128.TryParse(
                "0" + token.Text.AsSpan(2).ToString(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
                && token.Text.Length is > 2 and <= 18
            : Int128.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        value = sign.Length > 0 ? -value : value;
        return parsed && value >= long.MinValue && value <= long.MaxValue
            ? new CelLiteral((long)value, token.Position)
            : throw new CelSyntaxException($"invalid int literal: {token.Text}", token.Position);
    }

    private string Name(CelToken token, bool isField)
    {
        // Kubernetes escapes reserved words in field names (__if__), so that they are none here.
        if (token.Kind != CelTokenKind.Identifier
            || token.Text is "in" or "true" or "false" or "null"
            || (!isField && Reserved.Contains(token.Text)))
        {
            throw Unexpected();
        }
        _at++;
        return token.Text;
    }

    private bool Take(string symbol)
    {
        if (Current.Kind != CelTokenKind.Symbol || Current.Text != symbol)
        {
            return false;
        }
        _at++;
        return true;
    }

    private void Require(string symbol)
    {
        if (!Take(symbol))
        {
            throw Unexpected(symbol);
        }
    }

    private static CelExpression Bounded(CelExpression expression) =>
        expression.Depth <= MaxDepth
            ? expression
            : throw new CelSyntaxException($"expression recursion limit exceeded: {MaxDepth}", expression.Position);

    private CelSyntaxException Unexpected(string? expected = null) =>
        new($"Syntax error: unexpected '{Current.Text}'{(expected is null ? "" : $", expecting '{expected}'")}", Current.Position);
}
