namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>A compiled CEL expression. Made and run by <see cref="CelRule"/>; immutable, used by many threads.</summary>
internal sealed class CelProgram
{
    private readonly CelExpression _expression;
    private readonly IReadOnlySet<string> _used;

    private CelProgram(CelExpression expression, IReadOnlySet<string> used)
    {
        _expression = expression;
        _used = used;
    }

    /// <param name="wanted">The type its value must have.</param>
    /// <param name="variables">What it may name.</param>
    /// <exception cref="CelSyntaxException">It cannot be compiled.</exception>
    public static CelProgram Compile(string source, CelType wanted, params ReadOnlySpan<(string Name, CelType Type)> variables)
    {
        CelScope<CelType>? scope = null;
        foreach (var (name, type) in variables)
        {
            scope = new CelScope<CelType>(name, type, scope);
        }
        var expression = CelParser.Parse(source);
        var checker = new CelChecker();
        var result = checker.Check(expression, scope);
        return wanted.Fits(result) && result.Kind != CelKind.Null
            ? new CelProgram(expression, checker.Used)
            : throw new CelSyntaxException($"cel expression must evaluate to a {wanted}", 0);
    }

    public bool Uses(string variable) => _used.Contains(variable);

    /// <exception cref="CelEvaluationException">It has no value for these.</exception>
    /// <exception cref="CelBudgetException">It does too much work.</exception>
    public object? Run(CelBudget budget, params ReadOnlySpan<(string Name, object? Value)> variables)
    {
        CelScope<object?>? scope = null;
        foreach (var (name, value) in variables)
        {
            scope = new CelScope<object?>(name, value, scope);
        }
        return new CelEvaluator(budget).Evaluate(_expression, scope);
    }
}
