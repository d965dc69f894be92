namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>A parsed CEL expression. Made by <see cref="CelParser"/>, typed by <see cref="CelChecker"/>, computed by
/// <see cref="CelEvaluator"/>. Immutable.</summary>
/// <param name="Position">Character of the source, for error messages.</param>
/// <param name="Depth">How deep the tree below is, this node included: bounds the recursion of whoever walks it.</param>
internal abstract record CelExpression(int Position, int Depth)
{
    protected static int DepthOver(params ReadOnlySpan<CelExpression?> children)
    {
        var depth = 0;
        foreach (var child in children)
        {
            depth = Math.Max(depth, child?.Depth ?? 0);
        }
        return depth + 1;
    }
}

/// <param name="Value">null, <see cref="bool"/>, <see cref="long"/>, <see cref="double"/> or <see cref="string"/>.</param>
internal sealed record CelLiteral(object? Value, int Position) : CelExpression(Position, 1);

internal sealed record CelIdentifier(string Name, int Position) : CelExpression(Position, 1);

/// <summary><c>target.field</c>, or <c>has(target.field)</c>.</summary>
internal sealed record CelSelect(CelExpression Target, string Field, bool IsTest, int Position)
    : CelExpression(Position, DepthOver(Target));

/// <summary>A function, a method (with a target) or an operator (named as cel-go names it: <c>_+_</c>, <c>_[_]</c>, <c>!_</c>).</summary>
internal sealed record CelCall(string Function, CelExpression? Target, IReadOnlyList<CelExpression> Arguments, int Position)
    : CelExpression(Position, DepthOver([Target, .. Arguments]))
{
    /// <summary>No identifier has such a name, so that nobody can call an operator as a function.</summary>
    public bool IsOperator => Function.AsSpan().ContainsAny("+-*/%=!<>[@");

    /// <summary>The target, if any, and the arguments.</summary>
    public CelExpression[] Operands => Target is null ? [.. Arguments] : [Target, .. Arguments];
}

/// <summary>A chain of <c>&amp;&amp;</c> or of <c>||</c>, flat: chains are long in practice.</summary>
internal sealed record CelLogical(bool IsAnd, IReadOnlyList<CelExpression> Terms, int Position)
    : CelExpression(Position, DepthOver([.. Terms]));

internal sealed record CelConditional(CelExpression Condition, CelExpression Then, CelExpression Else, int Position)
    : CelExpression(Position, DepthOver(Condition, Then, Else));

internal sealed record CelListLiteral(IReadOnlyList<CelExpression> Items, int Position) : CelExpression(Position, DepthOver([.. Items]));

internal sealed record CelMapLiteral(IReadOnlyList<(CelExpression Key, CelExpression Value)> Entries, int Position)
    : CelExpression(Position, DepthOver([.. Entries.Select(entry => entry.Key), .. Entries.Select(entry => entry.Value)]));

internal enum CelMacro
{
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// <summary>A macro over a list's items or a map's keys.</summary>
/// <param name="Condition">The predicate; of <c>map</c> its filter, or null.</param>
/// <param name="Transform">Of <c>map</c>: what becomes of an item.</param>
internal sealed record CelComprehension(
    CelMacro Macro, CelExpression Range, string Variable, CelExpression? Condition, CelExpression? Transform, int Position)
    : CelExpression(Position, DepthOver(Range, Condition, Transform));
