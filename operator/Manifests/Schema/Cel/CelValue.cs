using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>A value that may be absent: <c>oldSelf</c> of a rule with <c>optionalOldSelf</c>.</summary>
internal sealed record CelOptional(bool HasValue, object? Value)
{
    public static CelOptional None { get; } = new(false, null);
}

/// <summary>What CEL computes with: null, <see cref="bool"/>, <see cref="long"/>, <see cref="double"/>, <see cref="string"/>,
/// <c>IReadOnlyList&lt;object?&gt;</c>, <see cref="CelMap"/>, <see cref="CelOptional"/>, and <see cref="CelKind"/> for the value of
/// <c>type()</c>.</summary>
internal static class CelValue
{
    /// <param name="schema">Decides between int and double: a <c>number</c> is a double even where the document says 1.</param>
    public static object? Of(JsonNode? node, StructuralSchema? schema) => node switch
    {
        null => null,
        JsonObject map => new CelJsonMap(map, schema),
        JsonArray list => new JsonList(list, schema?.Items),
        _ => node.GetValueKind() switch
        {
            JsonValueKind.String => node.Text(),
            JsonValueKind.Number when schema?.Type != "number" && node.AsInteger() is { } integer => integer,
            JsonValueKind.Number => node.AsNumber(),
            var kind => kind == JsonValueKind.True,
        },
    };

    public static CelKind KindOf(object? value) => value switch
    {
        null => CelKind.Null,
        bool => CelKind.Bool,
        long => CelKind.Int,
        double => CelKind.Double,
        string => CelKind.Text,
        IReadOnlyList<object?> => CelKind.List,
        CelMap => CelKind.Map,
        CelOptional => CelKind.Optional,
        _ => CelKind.Type,
    };

    /// <summary>CEL's equality: numbers by their mathematical value whatever their types, lists and maps by their items; values of
    /// different types are unequal.</summary>
    public static bool AreEqual(object? left, object? right) => (left, right) switch
    {
        (null, null) => true,
        (bool a, bool b) => a == b,
        (string a, string b) => a == b,
        (long or double, long or double) => Compare(left, right) == 0,
        (IReadOnlyList<object?> a, IReadOnlyList<object?> b) =>
            a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (CelMap a, CelMap b) =>
            a.Count == b.Count && a.Keys.All(key => a.TryGet(key, out var x) && b.TryGet(key, out var y) && AreEqual(x, y)),
        (CelOptional a, CelOptional b) => a.HasValue == b.HasValue && AreEqual(a.Value, b.Value),
        (CelKind a, CelKind b) => a == b,
        _ => false,
    };

    /// <returns>Null where there is no order between the two: other types, or not a number.</returns>
    public static int? Compare(object? left, object? right) => (left, right) switch
    {
        (long a, long b) => a.CompareTo(b),
        (double a, double b) => double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b),
        (long a, double b) => CompareMixed(a, b),
        (double a, long b) => -CompareMixed(b, a),
        (string a, string b) => CompareText(a, b),
        (bool a, bool b) => a.CompareTo(b),
        _ => null,
    };

    public static string Show(object? value) => value switch
    {
        null => "null",
        bool truth => truth ? "true" : "false",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static int? CompareMixed(long left, double right) =>
        double.IsNaN(right) ? null
        : right >= long.MaxValue ? -1
        : right < long.MinValue ? 1
        : left.CompareTo((long)Math.Truncate(right)) is var whole and not 0 ? whole
        : 0.0.CompareTo(right - Math.Truncate(right));

    // By code point; UTF-16 order differs from it where surrogates meet U+E000 and above.
    private static int CompareText(string left, string right)
    {
        var (a, b) = (left.EnumerateRunes(), right.EnumerateRunes());
        while (true)
        {
            var (more, other) = (a.MoveNext(), b.MoveNext());
            if (!more || !other)
            {
                return more.CompareTo(other);
            }
            if (a.Current.CompareTo(b.Current) is var order and not 0)
            {
                return order;
            }
        }
    }

    private sealed class JsonList(JsonArray list, StructuralSchema? items) : IReadOnlyList<object?>
    {
        public int Count => list.Count;

        public object? this[int index] => Of(list[index], items);

        public IEnumerator<object?> GetEnumerator() => list.Select(node => Of(node, items)).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
