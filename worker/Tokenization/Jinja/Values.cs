using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's view of values. A template value is null (None), bool, long, BigInteger
/// (an integer beyond 64 bits), double, string, <c>List&lt;object?&gt;</c> (list),
/// <c>object?[]</c> or <see cref="GroupTuple"/> (tuple), <see cref="Dict"/>, <see cref="Namespace"/>, <see cref="LoopContext"/>,
/// <see cref="Function"/> or <see cref="Undefined"/>.</summary>
internal static class Values
{
    /// <summary>Of the longest integer that is read. Python's own bound.</summary>
    public const int MaxDigits = 4300;

    public static object? FromJson(JsonNode? node)
    {
        switch (node)
        {
            case null:
                return null;
            case JsonArray array:
                return array.Select(FromJson).ToList();
            case JsonObject entries:
                Dict dict = [];
                foreach ((var name, var value) in entries)
                {
                    dict[name] = FromJson(value);
                }
                return dict;
            default:
                var scalar = node.AsValue();
                return scalar.GetValueKind() switch
                {
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    JsonValueKind.String => scalar.GetValue<string>(),
                    _ => Number(scalar.ToJsonString()),
                };
        }
    }

    public static string TypeName(object? value) => value switch
    {
        null => "none",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        List<object?> => "list",
        object?[] or GroupTuple => "tuple",
        Dict => "dict",
        Namespace => "namespace",
        LoopContext => "loop",
        Function => "function",
        _ => "undefined",
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        long l => l != 0,
        BigInteger => true,
        double d => d != 0,
        string s => s.Length > 0,
        IReadOnlyList<object?> list => list.Count > 0,
        Dict dict => dict.Count > 0,
        _ => true,
    };

    /// <summary>Fails with the message of an undefined value; used before anything but printing and testing it.</summary>
    public static object? Defined(object? value) => value is Undefined undefined ? throw new RenderError(undefined.Message) : value;

    /// <summary>A number as double, a bool being 0 or 1; null for anything else.</summary>
    public static double? AsNumber(object? value) => value switch
    {
        bool b => b ? 1 : 0,
        long l => l,
        BigInteger large => (double)large,
        double d => d,
        _ => null,
    };

    /// <summary>The items of a tuple; null for anything else.</summary>
    public static IReadOnlyList<object?>? Tuple(object? value) => value is object?[] or GroupTuple ? (IReadOnlyList<object?>)value : null;

    /// <summary>Python's <c>==</c>.</summary>
    public static bool AreEqual(object? left, object? right, RenderBudget budget)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        budget.Step();
        if (AsNumber(left) is { } a)
        {
            return AsInteger(left) is { } l && AsInteger(right) is { } r ? l == r : a == AsNumber(right);
        }
        return (left, right) switch
        {
            (null, null) or (Undefined, Undefined) => true,
            (string x, string y) => SameText(x, y, budget),
            (List<object?> x, List<object?> y) => ItemsAreEqual(x, y, budget),
            _ when Tuple(left) is { } x && Tuple(right) is { } y => ItemsAreEqual(x, y, budget),
            (Dict x, Dict y) => x.Count == y.Count
                && x.Entries.All(e => y.TryGet(e.Key, out var other, budget) && AreEqual(e.Value, other, budget)),
            _ => ReferenceEquals(left, right),
        };
    }

    /// <summary>Python's order of numbers, strings and sequences.</summary>
    public static int Compare(object? left, object? right, RenderBudget budget)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        budget.Step();
        switch (Defined(left), Defined(right))
        {
            case (long x, long y):
                return x.CompareTo(y);
            case (long or BigInteger, long or BigInteger):
                return AsInteger(left)!.Value.CompareTo(AsInteger(right)!.Value);
            case (string x, string y):
                budget.Work(x.Length < y.Length ? x : y);
                return string.CompareOrdinal(x, y);
            case (List<object?> x, List<object?> y):
                return CompareItems(x, y, budget);
            case var _ when Tuple(left) is { } x && Tuple(right) is { } y:
                return CompareItems(x, y, budget);
            default:
                return AsNumber(left) is { } l && AsNumber(right) is { } r
                    ? l.CompareTo(r)
                    : throw new RenderError($"{TypeName(left)} and {TypeName(right)} cannot be ordered");
        }
    }

    /// <summary>The items a loop goes over: of a list, the characters of a string, the keys of a dict, none of an undefined
    /// value.</summary>
    public static IReadOnlyList<object?> Items(object? value, RenderBudget budget)
    {
        switch (value)
        {
            case IReadOnlyList<object?> list:
                return list;
            case string text:
                return CodePoints.All(text, budget);
            case Dict dict:
                budget.Slots(dict.Count);
                return [.. dict.TemplateKeys];
            case Undefined:
                return [];
            default:
                throw new RenderError($"{TypeName(value)} is not iterable");
        }
    }

    /// <summary>A list of these that is its own.</summary>
    public static List<object?> Copy(object? value, RenderBudget budget)
    {
        var items = Items(value, budget);
        budget.Slots(items.Count);
        return [.. items];
    }

    public static long Length(object? value) => value switch
    {
        string text => CodePoints.Count(text),
        IReadOnlyList<object?> list => list.Count,
        Dict dict => dict.Count,
        Undefined => 0,
        _ => throw new RenderError($"{TypeName(value)} has no length"),
    };

    /// <summary>Python's <c>item in container</c>.</summary>
    public static bool Contains(object? container, object? item, RenderBudget budget) => container switch
    {
        string text when item is string part => Contains(text, part, budget),
        string => throw new RenderError($"'in' a string needs a string, not {TypeName(item)}"),
        Dict dict => dict.TryGet(item, out _, budget),
        _ => Items(container, budget).Any(other => AreEqual(item, other, budget)),
    };

    private static bool Contains(string text, string part, RenderBudget budget)
    {
        budget.Search(text, part);
        return text.Contains(part, StringComparison.Ordinal);
    }

    private static bool SameText(string left, string right, RenderBudget budget)
    {
        budget.Work(left.Length == right.Length ? left : null);
        return left == right;
    }

    private static bool ItemsAreEqual(IReadOnlyList<object?> left, IReadOnlyList<object?> right, RenderBudget budget)
    {
        var equal = left.Count == right.Count;
        for (var i = 0; equal && i < left.Count; i++)
        {
            equal = AreEqual(left[i], right[i], budget);
        }
        return equal;
    }

    private static int CompareItems(IReadOnlyList<object?> left, IReadOnlyList<object?> right, RenderBudget budget)
    {
        for (var i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (!AreEqual(left[i], right[i], budget))
            {
                return Compare(left[i], right[i], budget);
            }
        }
        return left.Count.CompareTo(right.Count);
    }

    private static BigInteger? AsInteger(object? value) => value switch
    {
        long number => number,
        BigInteger large => large,
        _ => null,
    };

    private static object Number(string json)
    {
        if (long.TryParse(json, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            return integer;
        }
        if (json.AsSpan().ContainsAny('.', 'e', 'E'))
        {
            return double.Parse(json, CultureInfo.InvariantCulture);
        }
        return json.Length <= MaxDigits
            ? BigInteger.Parse(json, CultureInfo.InvariantCulture)
            : throw new ChatTemplateException($"a number has {json.Length} digits; at most {MaxDigits} are read");
    }
}
