namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Computes a checked <see cref="CelExpression"/>. Called by <see cref="CelProgram"/>. The walk is as deep as the expression,
/// which <see cref="CelParser.MaxDepth"/> bounds; how long it takes is bounded by the budget.</summary>
internal sealed class CelEvaluator(CelBudget budget)
{
    /// <exception cref="CelEvaluationException">The expression has no value.</exception>
    /// <exception cref="CelBudgetException">It does too much work.</exception>
    public object? Evaluate(CelExpression expression, CelScope<object?>? scope)
    {
        budget.Spend(1);
        switch (expression)
        {
            case CelLiteral literal:
                return literal.Value;
            case CelIdentifier identifier:
                return CelScope<object?>.TryFind(scope, identifier.Name, out var value) ? value
                    : CelChecker.TryTypeName(identifier.Name, out var kind) ? kind
                    : throw new CelEvaluationException($"no such attribute: {identifier.Name}");
            case CelSelect select:
                return Select(select, Evaluate(select.Target, scope));
            case CelLogical logical:
                return Decide(logical.Terms, decisive: !logical.IsAnd, term => Evaluate(term, scope));
            case CelConditional conditional:
                return Evaluate(Truth(Evaluate(conditional.Condition, scope)) ? conditional.Then : conditional.Else, scope);
            case CelListLiteral list:
                return (IReadOnlyList<object?>)[.. list.Items.Select(item => Evaluate(item, scope))];
            case CelMapLiteral map:
                return new CelLiteralMap([.. map.Entries.Select(entry => (Evaluate(entry.Key, scope), Evaluate(entry.Value, scope)))]);
            case CelComprehension comprehension:
                return Comprehension(comprehension, scope);
            default:
                return Call((CelCall)expression, scope);
        }
    }

    private static object? Select(CelSelect select, object? target)
    {
        if (target is not CelMap map)
        {
            throw CelArithmetic.NoOverload();
        }
        var found = map.TryGetField(select.Field, out var value);
        return select.IsTest ? found : found ? value : throw CelArithmetic.NoSuchKey(select.Field);
    }

    /// <summary>One decisive operand makes the result, wherever it stands: errors of the others do not matter then.</summary>
    private static bool Decide<T>(IEnumerable<T> terms, bool decisive, Func<T, object?> evaluate)
    {
        CelEvaluationException? first = null;
        foreach (var term in terms)
        {
            try
            {
                if (Truth(evaluate(term)) == decisive)
                {
                    return decisive;
                }
            }
            catch (CelEvaluationException error)
            {
                first ??= error;
            }
        }
        return first is null ? !decisive : throw first;
    }

    private object? Comprehension(CelComprehension comprehension, CelScope<object?>? scope)
    {
        var items = Evaluate(comprehension.Range, scope) switch
        {
            IReadOnlyList<object?> list => list,
            CelMap map => map.Keys,
            _ => throw CelArithmetic.NoOverload(),
        };
        object? With(CelExpression expression, object? item) =>
            Evaluate(expression, new CelScope<object?>(comprehension.Variable, item, scope));
        object? Condition(object? item) => With(comprehension.Condition!, item);
        return comprehension.Macro switch
        {
            CelMacro.All => Decide(items, decisive: false, Condition),
            CelMacro.Exists => Decide(items, decisive: true, Condition),
            CelMacro.ExistsOne => items.Count(item => Truth(Condition(item))) == 1,
            CelMacro.Filter => items.Where(item => Truth(Condition(item))).ToList(),
            _ => items.Where(item => comprehension.Condition is null || Truth(Condition(item)))
                .Select(item => With(comprehension.Transform!, item)).ToList(),
        };
    }

    private object? Call(CelCall call, CelScope<object?>? scope)
    {
        var values = Array.ConvertAll(call.Operands, operand => Evaluate(operand, scope));
        switch (call.Function)
        {
            case "!_":
                return !Truth(values[0]);
            case "-_":
                return CelArithmetic.Negate(values[0]);
            case "_[_]":
                return CelArithmetic.Index(values[0], values[1]);
            case var _ when call.IsOperator:
                return CelArithmetic.Apply(call.Function, values[0], values[1], budget);
            default:
                var kinds = Array.ConvertAll(values, CelValue.KindOf);
                var function = CelLibrary.Named(call.Function).FirstOrDefault(f => f.Takes(call.Function, call.Target is not null, kinds));
                return (function ?? throw CelArithmetic.NoOverload()).Invoke(values, budget);
        }
    }

    private static bool Truth(object? value) => value as bool? ?? throw CelArithmetic.NoOverload();
}
