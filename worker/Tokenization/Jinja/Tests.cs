using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>What may stand after <c>is</c>.</summary>
internal static class Tests
{
    private delegate bool Test(object? value, Arguments arguments, RenderBudget budget);

    private static readonly Dictionary<string, Test> All = Build();

    public static bool Exists(string name) => All.ContainsKey(name);

    public static bool Apply(string name, object? value, Arguments arguments, RenderBudget budget)
    {
        budget.Work(value is string ? value : null);
        return All.TryGetValue(name, out var test) ? test(value, arguments, budget) : throw new RenderError($"there is no test '{name}'");
    }

    private static Dictionary<string, Test> Build()
    {
        Dictionary<string, Test> tests = new(StringComparer.Ordinal)
        {
            ["defined"] = (value, _, _) => value is not Undefined,
            ["undefined"] = (value, _, _) => value is Undefined,
            ["none"] = (value, _, _) => value is null,
            ["boolean"] = (value, _, _) => value is bool,
            ["true"] = (value, _, _) => value is true,
            ["false"] = (value, _, _) => value is false,
            ["integer"] = (value, _, _) => value is long or BigInteger,
            ["float"] = (value, _, _) => value is double,
            ["number"] = (value, _, _) => value is long or BigInteger or double or bool,
            ["string"] = (value, _, _) => value is string,
            ["mapping"] = (value, _, _) => value is Dict,
            ["sequence"] = (value, _, _) => value is string or IReadOnlyList<object?> or Dict or Undefined,
            ["iterable"] = (value, _, _) => value is string or IReadOnlyList<object?> or Dict or Undefined,
            ["escaped"] = (_, _, _) => false,
            ["callable"] = (value, _, _) => value is Function,
            ["filter"] = (value, _, _) => value is string name && Filters.Exists(name),
            ["test"] = (value, _, _) => value is string name && Exists(name),
            ["odd"] = (value, _, _) => Integer(value) % 2 != 0,
            ["even"] = (value, _, _) => Integer(value) % 2 == 0,
            ["divisibleby"] = (value, a, _) => a.Integer(0, "num") is var divisor and not 0
                ? Integer(value) % divisor == 0
                : throw new RenderError("division by zero"),
            ["lower"] = (value, _, budget) =>
                ValueWriter.ToText(value, budget) is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
            ["upper"] = (value, _, budget) =>
                ValueWriter.ToText(value, budget) is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
            ["in"] = (value, a, budget) => Values.Contains(a.Required(0, "seq"), value, budget),
            ["sameas"] = (value, a, _) => Same(value, a.Required(0, "other")),
        };
        Add((value, other, budget) => Values.AreEqual(value, other, budget), "eq", "equalto", "==");
        Add((value, other, budget) => !Values.AreEqual(value, other, budget), "ne", "!=");
        Add((value, other, budget) => Values.Compare(value, other, budget) < 0, "lt", "lessthan", "<");
        Add((value, other, budget) => Values.Compare(value, other, budget) <= 0, "le", "<=");
        Add((value, other, budget) => Values.Compare(value, other, budget) > 0, "gt", "greaterthan", ">");
        Add((value, other, budget) => Values.Compare(value, other, budget) >= 0, "ge", ">=");
        return tests;

        void Add(Func<object?, object?, RenderBudget, bool> compare, params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
            {
                tests[name] = (value, arguments, budget) => compare(value, arguments.Required(0, "other"), budget);
            }
        }
    }

    private static long Integer(object? value) => Values.Defined(value) switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => throw new RenderError($"an integer is needed, not {Values.TypeName(value)}"),
    };

    // Small values are one object in Python.
    private static bool Same(object? value, object? other) => (value, other) switch
    {
        (null, null) => true,
        (bool a, bool b) => a == b,
        (long a, long b) => a == b,
        (BigInteger a, BigInteger b) => a == b,
        (string a, string b) => a == b,
        _ => ReferenceEquals(value, other),
    };
}
