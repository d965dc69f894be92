using System.Runtime.CompilerServices;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Gives expressions their values with Python's semantics. Used by <see cref="Interpreter"/>, one a rendering.</summary>
internal sealed class ExpressionEvaluator(RenderBudget budget)
{
    public RenderBudget Budget { get; } = budget;

    /// <summary>Line of the expression or statement last begun, for errors.</summary>
    public int Line { get; set; }

    /// <param name="captured">What <see cref="Captured"/> stands for.</param>
    public object? Evaluate(Expression expression, Scope scope, string? captured = null)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        Budget.Step();
        Line = expression.Line;
        switch (expression)
        {
            case Literal literal:
                return literal.Value;
            case Variable variable:
                return scope.TryGet(variable.Name, out var value) ? value : Missing(Undefined.Name(variable.Name));
            case AttributeAccess access:
                return GetAttribute(Evaluate(access.Target, scope), access.Name);
            case IndexAccess access:
                return GetItem(Evaluate(access.Target, scope), Evaluate(access.Index, scope));
            case SliceAccess access:
                var target = Evaluate(access.Target, scope);
                Budget.Work(target);
                return Slicing.Slice(target, Bound(access.Start), Bound(access.Stop), Bound(access.Step), Budget);
            case Call call:
                return Invoke(Evaluate(call.Target, scope), EvaluateArguments(call.Arguments, scope));
            case FilterCall filter:
                return Filters.Apply(
                    filter.Name, Evaluate(filter.Target, scope, captured), EvaluateArguments(filter.Arguments, scope), this);
            case TestCall test:
                return Tests.Apply(test.Name, Evaluate(test.Target, scope), EvaluateArguments(test.Arguments, scope), Budget);
            case Binary { Operator: "and" } and:
                var left = Evaluate(and.Left, scope);
                return Values.IsTrue(left) ? Evaluate(and.Right, scope) : left;
            case Binary { Operator: "or" } or:
                left = Evaluate(or.Left, scope);
                return Values.IsTrue(left) ? left : Evaluate(or.Right, scope);
            case Binary { Operator: "~" } concatenation:
                return Operators.Join(Text(concatenation.Left), Text(concatenation.Right), Budget);
            case Binary binary:
                left = Evaluate(binary.Left, scope);
                var right = Evaluate(binary.Right, scope);
                Line = binary.Line;
                return Operators.Apply(binary.Operator, left, right, Budget);
            case Comparison comparison:
                return Holds(comparison, scope);
            case Unary { Operator: "not" } not:
                return !Values.IsTrue(Evaluate(not.Operand, scope));
            case Unary { Operator: "-" } negation:
                return Operators.Negate(Evaluate(negation.Operand, scope));
            case Unary plus:
                return Operators.Apply("+", 0L, Evaluate(plus.Operand, scope), Budget);
            case Conditional conditional:
                return Values.IsTrue(Evaluate(conditional.Condition, scope)) ? Evaluate(conditional.Then, scope)
                    : conditional.Otherwise is { } otherwise ? Evaluate(otherwise, scope)
                    : Missing(new Undefined("the condition is false and there is no 'else'"));
            case ListLiteral list:
                return EvaluateAll(list.Items, scope);
            case TupleLiteral tuple:
                return EvaluateAll(tuple.Items, scope).ToArray();
            case DictLiteral literal:
                Budget.Objects(2);
                Dict dict = [];
                foreach ((var key, var entry) in literal.Entries)
                {
                    dict.Set(Evaluate(key, scope), Evaluate(entry, scope), Budget);
                }
                return dict;
            case Captured:
                return captured;
            default:
                throw new InvalidOperationException($"no case for {expression.GetType().Name}");
        }

        object? Bound(Expression? bound) => bound is null ? null : Evaluate(bound, scope);

        string Text(Expression operand) => ValueWriter.ToText(Evaluate(operand, scope), Budget);
    }

    /// <summary><c>target.name</c>: a method or attribute, else the item of that name.</summary>
    public object? GetAttribute(object? target, string name)
    {
        var result = Find(target, name);
        if (result is Function or Undefined)
        {
            Budget.Objects();
        }
        return result;
    }

    private object? Find(object? target, string name) => Values.Defined(target) switch
    {
        Dict dict => DictMethods.Find(dict, name, Budget)
            ?? (dict.TryGet(name, out var value, Budget) ? value : Undefined.Attribute(target, name)),
        string text => StringMethods.Find(text, name, Budget) ?? (object)Undefined.Attribute(target, name),
        GroupTuple group when group.Attribute(name) is { } member => member,
        GroupTuple and { Grouper: null } when name == "grouper" => null,
        IReadOnlyList<object?> list => ListMethods.Find(list, name, Budget) ?? (object)Undefined.Attribute(target, name),
        LoopContext loop => loop.Attribute(name),
        Namespace space when space.Attributes.TryGetValue(name, out var value) => value,
        Function function when name == "name" => function.Name,
        _ => Undefined.Attribute(target, name),
    };

    /// <summary><c>target[key]</c>: the item, else the attribute of that name.</summary>
    public object? GetItem(object? target, object? key)
    {
        Budget.Work(target as string);
        switch (Values.Defined(target))
        {
            case Dict dict when dict.TryGet(key, out var value, Budget):
                return value;
            case string or IReadOnlyList<object?> when key is long index:
                (var found, var item) = Slicing.At(target!, index);
                return found ? item : Missing(new Undefined($"{Values.TypeName(target)} index {index} is out of range"));
            default:
                return key is string name ? GetAttribute(target, name) : Missing(NoItem(target, ValueWriter.Repr(key, Budget)));
        }
    }

    public object? Invoke(object? target, Arguments arguments) => Values.Defined(target) switch
    {
        Function function => function.Invoke(arguments),
        LoopContext loop => loop.Call(arguments.Required(0, "iterable")),
        _ => throw new RenderError($"{Values.TypeName(target)} cannot be called"),
    };

    public Arguments EvaluateArguments(ArgumentList list, Scope scope)
    {
        if (list.Positional.Count == 0 && list.Named.Count == 0)
        {
            return Arguments.None;
        }
        List<object?> positional = [];
        foreach ((var expression, var spread) in list.Positional)
        {
            var value = Evaluate(expression, scope);
            if (spread)
            {
                positional.AddRange(Values.Copy(value, Budget));
            }
            else
            {
                positional.Add(value);
            }
        }
        Dictionary<string, object?> named = new(StringComparer.Ordinal);
        foreach ((var name, var expression) in list.Named)
        {
            named[name] = Evaluate(expression, scope);
        }
        return new Arguments(positional, named);
    }

    private List<object?> EvaluateAll(IReadOnlyList<Expression> expressions, Scope scope)
    {
        Budget.Objects();
        Budget.Slots(2L * expressions.Count);
        List<object?> values = new(expressions.Count);
        foreach (var expression in expressions)
        {
            values.Add(Evaluate(expression, scope));
        }
        return values;
    }

    private static Undefined NoItem(object? target, string key) =>
        new($"'{Values.TypeName(target)} object' has no item {Undefined.Shorten(key)}");

    private Undefined Missing(Undefined value)
    {
        Budget.Objects();
        return value;
    }

    private bool Holds(Comparison comparison, Scope scope)
    {
        var left = Evaluate(comparison.First, scope);
        foreach ((var name, var expression) in comparison.Rest)
        {
            var right = Evaluate(expression, scope);
            Budget.Work(left as string);
            Budget.Work(right as string);
            Line = comparison.Line;
            var holds = name switch
            {
                "==" => Values.AreEqual(left, right, Budget),
                "!=" => !Values.AreEqual(left, right, Budget),
                "in" => Values.Contains(right, left, Budget),
                "not in" => !Values.Contains(right, left, Budget),
                "<" => Values.Compare(left, right, Budget) < 0,
                "<=" => Values.Compare(left, right, Budget) <= 0,
                ">" => Values.Compare(left, right, Budget) > 0,
                _ => Values.Compare(left, right, Budget) >= 0,
            };
            if (!holds)
            {
                return false;
            }
            left = right;
        }
        return true;
    }
}
