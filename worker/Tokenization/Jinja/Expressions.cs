namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Something with a value. Made by <see cref="ExpressionParser"/>, evaluated by <see cref="ExpressionEvaluator"/>.</summary>
/// <param name="Line">Template line, from 1, for errors.</param>
internal abstract record Expression(int Line);

/// <param name="Value">String, long, double, bool or null.</param>
internal sealed record Literal(int Line, object? Value) : Expression(Line);

internal sealed record Variable(int Line, string Name) : Expression(Line);

internal sealed record ListLiteral(int Line, IReadOnlyList<Expression> Items) : Expression(Line);

internal sealed record TupleLiteral(int Line, IReadOnlyList<Expression> Items) : Expression(Line);

internal sealed record DictLiteral(int Line, IReadOnlyList<(Expression Key, Expression Value)> Entries) : Expression(Line);

/// <summary><c>target.name</c></summary>
internal sealed record AttributeAccess(int Line, Expression Target, string Name) : Expression(Line);

/// <summary><c>target[index]</c></summary>
internal sealed record IndexAccess(int Line, Expression Target, Expression Index) : Expression(Line);

/// <summary><c>target[start:stop:step]</c></summary>
internal sealed record SliceAccess(int Line, Expression Target, Expression? Start, Expression? Stop, Expression? Step) : Expression(Line);

/// <summary>What stands in the parentheses of a call, filter or test.</summary>
internal sealed record ArgumentList(
    IReadOnlyList<(Expression Value, bool Spread)> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    public static ArgumentList Empty { get; } = new([], []);
}

internal sealed record Call(int Line, Expression Target, ArgumentList Arguments) : Expression(Line);

/// <summary><c>target | name(arguments)</c>; the target of a <c>{% filter %}</c> block is its body.</summary>
internal sealed record FilterCall(int Line, Expression Target, string Name, ArgumentList Arguments) : Expression(Line);

/// <summary><c>target is name(arguments)</c></summary>
internal sealed record TestCall(int Line, Expression Target, string Name, ArgumentList Arguments) : Expression(Line);

/// <param name="Operator"><c>not</c>, <c>-</c> or <c>+</c>.</param>
internal sealed record Unary(int Line, string Operator, Expression Operand) : Expression(Line);

/// <param name="Operator">Arithmetic, <c>~</c>, <c>and</c> or <c>or</c>.</param>
internal sealed record Binary(int Line, string Operator, Expression Left, Expression Right) : Expression(Line);

/// <summary>A chain <c>a &lt; b &lt;= c</c>: every neighbouring pair must hold.</summary>
internal sealed record Comparison(int Line, Expression First, IReadOnlyList<(string Operator, Expression Right)> Rest) : Expression(Line);

/// <summary><c>then if condition else otherwise</c></summary>
internal sealed record Conditional(int Line, Expression Condition, Expression Then, Expression? Otherwise) : Expression(Line);
