using System.Buffers;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>str</c> that take a text apart.</summary>
internal static class StringSplits
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1C\x1D\x1E\x85\u2028\u2029");

    public static List<object?> Split(string text, Arguments arguments, RenderBudget budget)
    {
        var limit = arguments.Integer(1, "maxsplit", -1);
        var parts = limit < 0 || limit >= int.MaxValue ? int.MaxValue : (int)limit + 1;
        if (arguments.Get(0, "sep") is not null)
        {
            var separator = Separator(arguments);
            budget.Cuts(2 * Math.Min(parts, StringPositions.Count(text, separator, budget) + 1), text.Length);
            return [.. text.Split(separator, parts)];
        }
        List<object?> words = [];
        var at = 0;
        while (true)
        {
            while (at < text.Length && StringMethods.IsSpace(text[at]))
            {
                at++;
            }
            if (at == text.Length)
            {
                return words;
            }
            var end = words.Count == parts - 1 ? text.Length : at;
            while (end < text.Length && !StringMethods.IsSpace(text[end]))
            {
                end++;
            }
            budget.Cuts(1, end - at);
            words.Add(text[at..end]);
            at = end;
        }
    }

    public static List<object?> RightSplit(string text, Arguments arguments, RenderBudget budget)
    {
        var limit = arguments.Integer(1, "maxsplit", -1);
        List<object?> parts = [];
        if (arguments.Get(0, "sep") is null)
        {
            return RightWords(text, limit, budget);
        }
        var separator = Separator(arguments);
        budget.Search(text, separator);
        budget.Cuts(1, text.Length);
        var end = text.Length;
        for (; limit != 0; limit--)
        {
            var at = end == 0 ? -1 : text.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal);
            if (at < 0)
            {
                break;
            }
            budget.Cuts(1, 0);
            parts.Add(text[(at + separator.Length)..end]);
            end = at;
        }
        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }

    private static List<object?> RightWords(string text, long limit, RenderBudget budget)
    {
        List<object?> words = [];
        var end = text.Length;
        while (true)
        {
            while (end > 0 && StringMethods.IsSpace(text[end - 1]))
            {
                end--;
            }
            if (end == 0)
            {
                break;
            }
            var start = words.Count == limit ? 0 : end;
            while (start > 0 && !StringMethods.IsSpace(text[start - 1]))
            {
                start--;
            }
            budget.Cuts(1, end - start);
            words.Add(text[start..end]);
            end = start;
        }
        words.Reverse();
        return words;
    }

    public static List<object?> SplitLines(string text, bool keepEnds, RenderBudget budget)
    {
        List<object?> lines = [];
        for (var at = 0; at < text.Length;)
        {
            var end = text.AsSpan(at).IndexOfAny(LineEnds) is >= 0 and var found ? at + found : text.Length;
            var next = end == text.Length ? end : end + (text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? 2 : 1);
            budget.Cuts(1, next - at);
            lines.Add(text[at..(keepEnds ? next : end)]);
            at = next;
        }
        return lines;
    }

    public static object?[] Partition(string text, string separator, bool last, RenderBudget budget)
    {
        var at = StringPositions.Find(text, separator, last, budget);
        budget.Cuts(3, text.Length);
        return at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]]
            : last ? ["", "", text]
            : [text, "", ""];
    }

    private static string Separator(Arguments arguments) =>
        arguments.Text(0, "sep") is { Length: > 0 } separator ? separator : throw new RenderError("the separator is empty");
}
