namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>The operators that always look at all of their operands. Called by <see cref="CelEvaluator"/>.</summary>
internal static class CelArithmetic
{
    /// <exception cref="CelEvaluationException">There is no such operator for these values, or it overflows.</exception>
    public static object? Apply(string @operator, object? left, object? right, CelBudget budget)
    {
        try
        {
            return @operator switch
            {
                "_==_" => Equal(left, right, budget),
                "_!=_" => !Equal(left, right, budget),
                "_<_" => Order(left, right) < 0,
                "_<=_" => Order(left, right) <= 0,
                "_>_" => Order(left, right) > 0,
                "_>=_" => Order(left, right) >= 0,
                "@in" => Contains(right, left, budget),
                "_+_" => Add(left, right, budget),
                _ => Calculate(@operator, left, right),
            };
        }
        catch (OverflowException)
        {
            throw new CelEvaluationException("integer overflow");
        }
    }

    public static object? Negate(object? value) => value switch
    {
        long.MinValue => throw new CelEvaluationException("integer overflow"),
        long number => (object)-number,
        double number => -number,
        _ => throw NoOverload(),
    };

    public static object? Index(object? target, object? index) => (target, index) switch
    {
        (IReadOnlyList<object?> list, long or double) => CelValue.Compare(index, 0L) >= 0
            && CelValue.Compare(index, (long)list.Count) < 0
            && (index is long || double.IsInteger((double)index))
            ? list[Convert.ToInt32(index, System.Globalization.CultureInfo.InvariantCulture)]
            : throw new CelEvaluationException($"index out of bounds: {CelValue.Show(index)}"),
        (CelMap map, _) => map.TryGet(index, out var value) ? value : throw NoSuchKey(index),
        _ => throw NoOverload(),
    };

    public static CelEvaluationException NoSuchKey(object? key) => new($"no such key: {CelValue.Show(key)}");

    public static CelEvaluationException NoOverload() => new("no such overload");

    private static bool Equal(object? left, object? right, CelBudget budget)
    {
        budget.Spend(Weight(left) + Weight(right));
        return CelValue.AreEqual(left, right);
    }

    // Not-a-number is less than nothing and more than nothing.
    private static int? Order(object? left, object? right) =>
        CelValue.Compare(left, right) ?? (left is long or double && right is long or double ? null : throw NoOverload());

    private static bool Contains(object? container, object? item, CelBudget budget)
    {
        budget.Spend(Weight(container));
        return container switch
        {
            IReadOnlyList<object?> list => list.Any(member => CelValue.AreEqual(member, item)),
            CelMap map => map.TryGet(item, out _),
            _ => throw NoOverload(),
        };
    }

    private static object? Add(object? left, object? right, CelBudget budget)
    {
        switch (left, right)
        {
            case (string a, string b):
                budget.SpendText((long)a.Length + b.Length);
                return a + b;
            case (IReadOnlyList<object?> a, IReadOnlyList<object?> b):
                budget.Spend((long)a.Count + b.Count);
                return (IReadOnlyList<object?>)[.. a, .. b];
            default:
                return Calculate("_+_", left, right);
        }
    }

    private static object Calculate(string @operator, object? left, object? right) => (@operator, left, right) switch
    {
        // Without the cast, all results would become the arms' common type: double.
        ("_+_", long a, long b) => (object)checked(a + b),
        ("_-_", long a, long b) => checked(a - b),
        ("_*_", long a, long b) => checked(a * b),
        ("_/_", long, 0L) => throw new CelEvaluationException("division by zero"),
        ("_/_", long a, long b) => checked(a / b),
        ("_%_", long, 0L) => throw new CelEvaluationException("modulus by zero"),
        ("_%_", long a, long b) => b == -1 ? 0L : a % b,
        ("_+_", double a, double b) => a + b,
        ("_-_", double a, double b) => a - b,
        ("_*_", double a, double b) => a * b,
        ("_/_", double a, double b) => a / b,
        _ => throw NoOverload(),
    };

    private static long Weight(object? value) => value switch
    {
        string text => text.Length / 10,
        IReadOnlyList<object?> list => list.Count,
        CelMap map => map.Count,
        _ => 0,
    };
}
