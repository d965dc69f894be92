using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>CEL's string functions. Positions count code points, as CEL does, not UTF-16 units. Called through
/// <see cref="CelLibrary"/>.</summary>
internal static class CelText
{
    private static readonly TimeSpan RegexLimit = TimeSpan.FromSeconds(1);

    public static long Length(string text, CelBudget budget)
    {
        budget.SpendText(text.Length);
        return text.EnumerateRunes().Count();
    }

    /// <summary>Whether the pattern matches anywhere: RE2's syntax, which is linear-time, as this engine is.</summary>
    public static bool Matches(string text, string pattern, CelBudget budget)
    {
        budget.SpendText((long)(text.Length + 1) * (pattern.Length + 1) / 4);
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, RegexLimit);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException or RegexMatchTimeoutException)
        {
            throw new CelEvaluationException($"error parsing regexp: {error.Message}");
        }
    }

    public static string CharAt(string text, long index)
    {
        var runes = text.EnumerateRunes().ToArray();
        return index == runes.Length ? "" : index >= 0 && index < runes.Length ? runes[index].ToString() : throw OutOfRange(index);
    }

    /// <param name="end">Exclusive; null for the text's end.</param>
    public static string Substring(string text, long start, long? end)
    {
        var runes = text.EnumerateRunes().ToArray();
        var last = end ?? runes.Length;
        if (start < 0 || start > runes.Length || last < 0 || last > runes.Length)
        {
            throw OutOfRange(start < 0 || start > runes.Length ? start : last);
        }
        return start <= last
            ? string.Concat(runes[(int)start..(int)last])
            : throw new CelEvaluationException($"invalid substring range. start: {start}, end: {last}");
    }

    /// <returns>-1 when the text does not hold it.</returns>
    public static long IndexOf(string text, string part, bool last)
    {
        var unit = last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
        return unit < 0 ? -1 : text.AsSpan(0, unit).EnumerateRunes().Count();
    }

    /// <param name="limit">At most so many parts; negative for all, 0 for none.</param>
    public static IReadOnlyList<object?> Split(string text, string separator, long limit)
    {
        if (limit == 0)
        {
            return [];
        }
        var count = limit < 0 ? int.MaxValue : (int)Math.Min(limit, int.MaxValue);
        if (separator.Length > 0)
        {
            return text.Split(separator, count);
        }
        var runes = text.EnumerateRunes().Select(rune => rune.ToString()).ToList();
        return runes.Count <= count ? runes : [.. runes.Take(count - 1), string.Concat(runes.Skip(count - 1))];
    }

    public static string Replace(string text, string old, string replacement, CelBudget budget)
    {
        budget.SpendText((long)(text.Length + 1) * (replacement.Length + 1));
        return old.Length > 0
            ? text.Replace(old, replacement, StringComparison.Ordinal)
            : replacement + string.Concat(text.EnumerateRunes().Select(rune => rune + replacement));
    }

    public static string Join(IReadOnlyList<object?> parts, string separator, CelBudget budget)
    {
        budget.Spend(parts.Count);
        var texts = parts.Select(part => part as string ?? throw new CelEvaluationException("no such overload")).ToList();
        budget.SpendText(texts.Sum(text => (long)text.Length + separator.Length));
        return string.Join(separator, texts);
    }

    private static CelEvaluationException OutOfRange(long index) => new($"index out of range: {index}");

    private static int Count(this SpanRuneEnumerator runes)
    {
        var count = 0;
        foreach (var _ in runes)
        {
            count++;
        }
        return count;
    }
}
