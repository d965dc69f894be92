using System.Globalization;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>The functions that rules may call: CEL's standard ones on the types JSON has, strings, Kubernetes' lists, and optionals. Not
/// here: timestamps, durations, bytes, quantities, URLs, IP addresses, formats; a CRD that uses them is refused, not
/// half-checked.</summary>
/// <remarks>Sources: cel-spec langdef.md, "Standard definitions"; cel-go ext/strings; Kubernetes documentation, "Common Expression
/// Language", function libraries.</remarks>
internal static class CelLibrary
{
    private static readonly Dictionary<string, List<CelFunction>> Functions = All().GroupBy(f => f.Name)
        .ToDictionary(g => g.Key, g => g.ToList());

    /// <returns>Empty for a name that is no function.</returns>
    public static IReadOnlyList<CelFunction> Named(string name) => Functions.GetValueOrDefault(name) ?? [];

    private static IEnumerable<CelFunction> All()
    {
        foreach (var isMember in new[] { false, true })
        {
            yield return new("size", isMember, [CelKind.Text], CelType.Int, (a, budget) => CelText.Length((string)a[0]!, budget));
            yield return new("size", isMember, [CelKind.List], CelType.Int, (a, _) => (long)List(a[0]).Count);
            yield return new("size", isMember, [CelKind.Map], CelType.Int, (a, _) => (long)((CelMap)a[0]!).Count);
            yield return new(
                "matches", isMember, [CelKind.Text, CelKind.Text], CelType.Bool,
                (a, budget) => CelText.Matches((string)a[0]!, (string)a[1]!, budget));
        }
        foreach (var function in Texts().Concat(Conversions()).Concat(Lists()).Concat(Optionals()))
        {
            yield return function;
        }
    }

    private static IEnumerable<CelFunction> Texts()
    {
        yield return Text("startsWith", CelType.Bool, (s, a) => s.StartsWith((string)a[1]!, StringComparison.Ordinal), CelKind.Text);
        yield return Text("endsWith", CelType.Bool, (s, a) => s.EndsWith((string)a[1]!, StringComparison.Ordinal), CelKind.Text);
        yield return Text("contains", CelType.Bool, (s, a) => s.Contains((string)a[1]!, StringComparison.Ordinal), CelKind.Text);
        yield return Text(
            "lowerAscii", CelType.Text,
            (s, _) => string.Concat(s.Select(char.IsAsciiLetterUpper).Zip(s, (upper, c) => upper ? (char)(c | 0x20) : c)));
        yield return Text(
            "upperAscii", CelType.Text,
            (s, _) => string.Concat(s.Select(char.IsAsciiLetterLower).Zip(s, (lower, c) => lower ? (char)(c & ~0x20) : c)));
        yield return Text("trim", CelType.Text, (s, _) => s.Trim());
        yield return Text("charAt", CelType.Text, (s, a) => CelText.CharAt(s, (long)a[1]!), CelKind.Int);
        yield return Text("substring", CelType.Text, (s, a) => CelText.Substring(s, (long)a[1]!, null), CelKind.Int);
        yield return Text("substring", CelType.Text, (s, a) => CelText.Substring(s, (long)a[1]!, (long)a[2]!), CelKind.Int, CelKind.Int);
        yield return Text("indexOf", CelType.Int, (s, a) => CelText.IndexOf(s, (string)a[1]!, last: false), CelKind.Text);
        yield return Text("lastIndexOf", CelType.Int, (s, a) => CelText.IndexOf(s, (string)a[1]!, last: true), CelKind.Text);
        yield return Text("split", CelType.ListOf(CelType.Text), (s, a) => CelText.Split(s, (string)a[1]!, -1), CelKind.Text);
        yield return Text(
            "split", CelType.ListOf(CelType.Text), (s, a) => CelText.Split(s, (string)a[1]!, (long)a[2]!), CelKind.Text, CelKind.Int);
        yield return new(
            "replace", true, [CelKind.Text, CelKind.Text, CelKind.Text], CelType.Text,
            (a, budget) => CelText.Replace((string)a[0]!, (string)a[1]!, (string)a[2]!, budget));
        yield return new("join", true, [CelKind.List], CelType.Text, (a, budget) => CelText.Join(List(a[0]), "", budget));
        yield return new(
            "join", true, [CelKind.List, CelKind.Text], CelType.Text, (a, budget) => CelText.Join(List(a[0]), (string)a[1]!, budget));
    }

    private static IEnumerable<CelFunction> Conversions()
    {
        yield return new("dyn", false, [CelKind.Dyn], CelType.Dyn, (a, _) => a[0]);
        yield return new("type", false, [CelKind.Dyn], new CelType(CelKind.Type), (a, _) => CelValue.KindOf(a[0]));
        yield return new("bool", false, [CelKind.Bool], CelType.Bool, (a, _) => a[0]);
        yield return new("bool", false, [CelKind.Text], CelType.Bool, (a, _) => (string)a[0]! switch
        {
            "1" or "t" or "true" or "TRUE" or "True" => true,
            "0" or "f" or "false" or "FALSE" or "False" => false,
            _ => throw new CelEvaluationException("type conversion error from 'string' to 'bool'"),
        });
        yield return new("int", false, [CelKind.Int], CelType.Int, (a, _) => a[0]);
        yield return new(
            "int", false, [CelKind.Double], CelType.Int,
            (a, _) => (double)a[0]! is > -9.2233720368547758e18 and < 9.2233720368547758e18 and var number
                ? (long)number
                : throw new CelEvaluationException("integer overflow"));
        yield return new(
            "int", false, [CelKind.Text], CelType.Int,
            (a, _) => long.TryParse((string)a[0]!, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number
                : throw new CelEvaluationException("type conversion error from 'string' to 'int'"));
        yield return new("double", false, [CelKind.Double], CelType.Double, (a, _) => a[0]);
        yield return new("double", false, [CelKind.Int], CelType.Double, (a, _) => (double)(long)a[0]!);
        yield return new(
            "double", false, [CelKind.Text], CelType.Double,
            (a, _) => double.TryParse((string)a[0]!, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                ? number
                : throw new CelEvaluationException("type conversion error from 'string' to 'double'"));
        foreach (var kind in new[] { CelKind.Text, CelKind.Int, CelKind.Double, CelKind.Bool })
        {
            yield return new("string", false, [kind], CelType.Text, (a, _) => CelValue.Show(a[0]));
        }
    }

    private static IEnumerable<CelFunction> Lists()
    {
        yield return new("isSorted", true, [CelKind.List], CelType.Bool, (a, budget) => Sorted(List(a[0]), budget));
        yield return new("min", true, [CelKind.List], CelType.Dyn, (a, budget) => Extreme(List(a[0]), "min", -1, budget));
        yield return new("max", true, [CelKind.List], CelType.Dyn, (a, budget) => Extreme(List(a[0]), "max", 1, budget));
        yield return new("sum", true, [CelKind.List], CelType.Dyn, (a, budget) =>
        {
            budget.Spend(List(a[0]).Count);
            return List(a[0])
                .Aggregate(
                    (object?)0L, (total, item) => total is 0L && item is double ? item : CelArithmetic.Apply("_+_", total, item, budget));
        });
        yield return new(
            "indexOf", true, [CelKind.List, CelKind.Dyn], CelType.Int, (a, budget) => Find(List(a[0]), a[1], budget).FirstOrDefault(-1));
        yield return new(
            "lastIndexOf", true, [CelKind.List, CelKind.Dyn], CelType.Int, (a, budget) => Find(List(a[0]), a[1], budget).LastOrDefault(-1));
    }

    private static IEnumerable<CelFunction> Optionals()
    {
        yield return new("hasValue", true, [CelKind.Optional], CelType.Bool, (a, _) => ((CelOptional)a[0]!).HasValue);
        yield return new(
            "value", true, [CelKind.Optional], CelType.Dyn,
            (a, _) =>
                a[0] is CelOptional { HasValue: true } some ? some.Value : throw new CelEvaluationException("optional.none() dereference"));
        yield return new(
            "orValue", true, [CelKind.Optional, CelKind.Dyn], CelType.Dyn,
            (a, _) => a[0] is CelOptional { HasValue: true } some ? some.Value : a[1]);
    }

    private static CelFunction Text(string name, CelType result, Func<string, object?[], object?> invoke, params CelKind[] more) =>
        new(name, true, [CelKind.Text, .. more], result, (arguments, budget) =>
        {
            budget.SpendText(((string)arguments[0]!).Length);
            return invoke((string)arguments[0]!, arguments);
        });

    private static IReadOnlyList<object?> List(object? value) => (IReadOnlyList<object?>)value!;

    private static IEnumerable<long> Find(IReadOnlyList<object?> list, object? wanted, CelBudget budget)
    {
        budget.Spend(list.Count);
        return list.Select((item, index) => (item, index)).Where(pair => CelValue.AreEqual(pair.item, wanted))
            .Select(pair => (long)pair.index);
    }

    private static bool Sorted(IReadOnlyList<object?> list, CelBudget budget)
    {
        budget.Spend(list.Count);
        return list.Zip(list.Skip(1)).All(pair => Order(pair.First, pair.Second) <= 0);
    }

    private static object? Extreme(IReadOnlyList<object?> list, string name, int sign, CelBudget budget)
    {
        budget.Spend(list.Count);
        return list.Count == 0
            ? throw new CelEvaluationException($"{name} called on empty list")
            : list.Aggregate((best, item) => Order(item, best) * sign > 0 ? item : best);
    }

    private static int Order(object? left, object? right) =>
        CelValue.Compare(left, right) ?? throw new CelEvaluationException("no such overload");
}
