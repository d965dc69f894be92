namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Strings as Python sees them: it counts code points, .NET strings hold UTF-16.</summary>
internal static class CodePoints
{
    /// <summary>Every code point as a string of its own.</summary>
    public static List<object?> All(string text, RenderBudget budget)
    {
        var count = Count(text);
        budget.Cuts(count, text.Length);
        List<object?> result = new(count);
        for (var i = 0; i < text.Length; i += Width(text, i))
        {
            result.Add(text.Substring(i, Width(text, i)));
        }
        return result;
    }

    public static int Count(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        for (var i = 0; i + 1 < text.Length; i++)
        {
            count -= char.IsSurrogatePair(text[i], text[i + 1]) ? 1 : 0;
        }
        return count;
    }

    /// <summary>The code point at a position, from the end when it is negative; null outside.</summary>
    public static string? At(string text, long position)
    {
        position = position < 0 ? position + Count(text) : position;
        for (var i = 0; position >= 0 && i < text.Length; i += Width(text, i))
        {
            if (position-- == 0)
            {
                return text.Substring(i, Width(text, i));
            }
        }
        return null;
    }

    public static string Reversed(string text, RenderBudget budget)
    {
        budget.Characters(text.Length);
        return string.Create(text.Length, text, (target, source) =>
        {
            var at = source.Length;
            for (var i = 0; i < source.Length;)
            {
                var width = Width(source, i);
                at -= width;
                source.AsSpan(i, width).CopyTo(target[at..]);
                i += width;
            }
        });
    }

    /// <summary>Code points from, from + step, … up to, not including, to. All inside the text, but for the end.</summary>
    /// <param name="count">Code points of the text.</param>
    public static string Slice(string text, int count, long from, long to, long step, RenderBudget budget)
    {
        if (step == 1)
        {
            var (start, end) = (Index(text, count, from), Index(text, count, Math.Max(from, to)));
            budget.Characters(end - start);
            return text[start..end];
        }
        if (step == -1 && from == count - 1 && to == -1)
        {
            return Reversed(text, budget);
        }

        // Pairs make the place of a code point unknown: only then each is cut out.
        var parts = count == text.Length ? null : All(text, budget);
        var length = Math.Max(0, (to - from + step - Math.Sign(step)) / step);
        budget.Characters(2 * length);
        System.Text.StringBuilder result = new();
        for (long i = 0; i < length; i++)
        {
            var at = (int)(from + i * step);
            _ = parts is null ? result.Append(text[at]) : result.Append((string)parts[at]!);
        }
        return result.ToString();
    }

    private static int Width(string text, int at) => char.IsSurrogatePair(text, at) ? 2 : 1;

    private static int Index(string text, int count, long position)
    {
        if (count == text.Length)
        {
            return (int)position;
        }
        var i = 0;
        for (; position > 0; position--)
        {
            i += Width(text, i);
        }
        return i;
    }
}
