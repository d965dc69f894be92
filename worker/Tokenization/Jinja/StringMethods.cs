using System.Buffers;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>str</c>.</summary>
internal static class StringMethods
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1C\x1D\x1E\x85\u2028\u2029");

    /// <summary>The method bound to a string, or null when there is none of that name.</summary>
    public static Function? Find(string text, string name, RenderBudget budget)
    {
        Func<Arguments, object?>? method = name switch
        {
            "strip" => a => Strip(text, a, left: true, right: true, budget),
            "lstrip" => a => Strip(text, a, left: true, right: false, budget),
            "rstrip" => a => Strip(text, a, left: false, right: true, budget),
            "split" => a => Split(text, a, budget),
            "rsplit" => a => RightSplit(text, a, budget),
            "splitlines" => a => SplitLines(text, a.Flag(0, "keepends"), budget),
            "partition" => a => Partition(text, a.Text(0, "sep"), last: false, budget),
            "rpartition" => a => Partition(text, a.Text(0, "sep"), last: true, budget),
            "join" => a => Join(text, Values.Items(a.Required(0, "iterable"), budget), budget),
            "replace" => a => Replace(text, a.Text(0, "old"), a.Text(1, "new"), a.Integer(2, "count", -1), budget),
            "startswith" => a => Range(text, a, budget) is { } range
                && AnyOf(a.Required(0, "prefix"), part => range.Text.StartsWith(part, StringComparison.Ordinal), budget),
            "endswith" => a => Range(text, a, budget) is { } range
                && AnyOf(a.Required(0, "suffix"), part => range.Text.EndsWith(part, StringComparison.Ordinal), budget),
            "removeprefix" => a => a.Text(0, "prefix") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal)
                ? Cut(text, prefix.Length, text.Length, budget)
                : text,
            "removesuffix" => a => a.Text(0, "suffix") is var suffix && text.EndsWith(suffix, StringComparison.Ordinal)
                ? Cut(text, 0, text.Length - suffix.Length, budget)
                : text,
            "find" => a => Find(text, a, budget, last: false),
            "rfind" => a => Find(text, a, budget, last: true),
            "index" or "rindex" => a => Find(text, a, budget, last: name == "rindex") is >= 0 and var at
                ? at
                : throw new RenderError("substring not found"),
            "count" => a => Range(text, a, budget) is { } range ? Count(range.Text, a.Text(0, "sub"), budget) : 0L,
            "format" => a => StringFormat.Apply(text, a, budget),
            "format_map" => a => StringFormat.ApplyMap(text, a.Required(0, "mapping"), budget),
            "casefold" => _ => CaseFolding.Fold(text, budget),
            "swapcase" => _ => string.Create(text.Length, Same(text, budget), (target, source) =>
            {
                for (var i = 0; i < source.Length; i++)
                {
                    target[i] = char.IsUpper(source[i]) ? char.ToLowerInvariant(source[i]) : char.ToUpperInvariant(source[i]);
                }
            }),
            "expandtabs" => a => ExpandTabs(text, a.Integer(0, "tabsize", 8), budget),
            "isascii" => _ => text.All(char.IsAscii),
            "isprintable" => _ => text.All(c => c == ' ' || !(char.IsControl(c) || char.IsWhiteSpace(c))),
            "isidentifier" => _ => text.Length > 0 && !char.IsDigit(text[0]) && text.All(c => char.IsLetterOrDigit(c) || c == '_'),
            "istitle" => _ => text.Any(char.IsLetter) && Title(Same(text, budget)) == text,
            "center" => a => Pad(text, a, budget, (width, fill) =>
            {
                // CPython puts the odd one to the left where the width is odd.
                var missing = width - text.Length;
                var left = missing / 2 + (missing & width & 1);
                return new string(fill, left) + text + new string(fill, missing - left);
            }),
            "upper" => _ => Same(text, budget).ToUpperInvariant(),
            "lower" => _ => Same(text, budget).ToLowerInvariant(),
            "title" => _ => Title(Same(text, budget)),
            "capitalize" => _ => Capitalize(text, budget),
            "isdigit" or "isdecimal" or "isnumeric" => _ => text.Length > 0 && text.All(char.IsDigit),
            "isalpha" => _ => text.Length > 0 && text.All(char.IsLetter),
            "isalnum" => _ => text.Length > 0 && text.All(char.IsLetterOrDigit),
            "isspace" => _ => text.Length > 0 && text.All(char.IsWhiteSpace),
            "isupper" => _ => text.Any(char.IsUpper) && !text.Any(char.IsLower),
            "islower" => _ => text.Any(char.IsLower) && !text.Any(char.IsUpper),
            "ljust" => a => Pad(text, a, budget, (width, fill) => text.PadRight(width, fill)),
            "rjust" => a => Pad(text, a, budget, (width, fill) => text.PadLeft(width, fill)),
            "zfill" => a => Pad(
                text, a, budget,
                (width, _) => text is ['-' or '+', ..] ? text[0] + text[1..].PadLeft(width - 1, '0') : text.PadLeft(width, '0')),
            _ => null,
        };
        return method is null ? null : new Function(name, arguments =>
        {
            budget.Work(text);
            return method(arguments);
        });
    }

    /// <summary>The text, when another of its length is about to be made.</summary>
    public static string Same(string text, RenderBudget budget)
    {
        budget.Characters(text.Length);
        return text;
    }

    public static string Capitalize(string text, RenderBudget budget)
    {
        budget.Characters(3L * text.Length);
        return text.Length == 0 ? text : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();
    }

    /// <summary>Python's title: letters after a non-letter are upper case, the others lower.</summary>
    public static string Title(string text) => string.Create(text.Length, text, (target, source) =>
    {
        var inWord = false;
        for (var i = 0; i < source.Length; i++)
        {
            target[i] = inWord ? char.ToLowerInvariant(source[i]) : char.ToUpperInvariant(source[i]);
            inWord = char.IsLetter(source[i]);
        }
    });

    /// <param name="count">Most to replace; all when negative.</param>
    public static string Replace(string text, string old, string replacement, long count, RenderBudget budget)
    {
        if (count < 0 && old.Length > 0)
        {
            budget.Characters(text.Length + (replacement.Length - old.Length) * Count(text, old, budget));
            return text.Replace(old, replacement, StringComparison.Ordinal);
        }
        budget.Search(text, old);
        budget.Characters(2L * text.Length);
        StringBuilder result = new();
        var at = 0;
        for (; count != 0; count--)
        {
            var found = text.IndexOf(old, at, StringComparison.Ordinal);
            // An empty text is found between all characters.
            if (found < 0 || (old.Length == 0 && found >= text.Length))
            {
                break;
            }
            budget.Step();
            budget.Growth(2L * replacement.Length);
            result.Append(text, at, found - at).Append(replacement);
            at = found + old.Length;
            if (old.Length == 0)
            {
                result.Append(text[at++]);
            }
        }
        if (old.Length == 0 && count != 0)
        {
            budget.Growth(2L * replacement.Length);
            result.Append(replacement);
        }
        return result.Append(text, at, text.Length - at).ToString();
    }

    public static string Join(string separator, IReadOnlyList<object?> items, RenderBudget budget)
    {
        budget.Step(items.Count);
        budget.Characters((long)separator.Length * items.Count + items.Sum(item => item is string text ? (long)text.Length : 0));
        return string.Join(separator, items.Select(item =>
            item as string ?? throw new RenderError($"only strings can be joined, not {Values.TypeName(item)}")));
    }

    public static string Strip(string text, Arguments arguments, bool left, bool right, RenderBudget budget)
    {
        // Without characters it is whitespace that goes; the set is Python's str.isspace, which adds four separators to Unicode's.
        var set = arguments.Get(0, "chars") is null ? null : Characters(arguments.Text(0, "chars"), budget);
        int start = 0, end = text.Length;
        while (left && start < end && Goes(text[start]))
        {
            start++;
        }
        while (right && end > start && Goes(text[end - 1]))
        {
            end--;
        }
        return Cut(text, start, end, budget);

        bool Goes(char c) => set is null ? IsSpace(c) : set.Contains(c);
    }

    private static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    private static List<object?> Split(string text, Arguments arguments, RenderBudget budget)
    {
        var limit = arguments.Integer(1, "maxsplit", -1);
        var parts = limit < 0 || limit >= int.MaxValue ? int.MaxValue : (int)limit + 1;
        if (arguments.Get(0, "sep") is not null)
        {
            var separator = Separator(arguments);
            budget.Cuts(2 * Math.Min(parts, Count(text, separator, budget) + 1), text.Length);
            return [.. text.Split(separator, parts)];
        }
        List<object?> words = [];
        var at = 0;
        while (true)
        {
            while (at < text.Length && IsSpace(text[at]))
            {
                at++;
            }
            if (at == text.Length)
            {
                return words;
            }
            var end = words.Count == parts - 1 ? text.Length : at;
            while (end < text.Length && !IsSpace(text[end]))
            {
                end++;
            }
            budget.Cuts(1, end - at);
            words.Add(text[at..end]);
            at = end;
        }
    }

    private static List<object?> RightSplit(string text, Arguments arguments, RenderBudget budget)
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
            while (end > 0 && IsSpace(text[end - 1]))
            {
                end--;
            }
            if (end == 0)
            {
                break;
            }
            var start = words.Count == limit ? 0 : end;
            while (start > 0 && !IsSpace(text[start - 1]))
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

    private static List<object?> SplitLines(string text, bool keepEnds, RenderBudget budget)
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

    private static string ExpandTabs(string text, long size, RenderBudget budget)
    {
        budget.Step(text.Length >> 3);
        StringBuilder result = new();
        long column = 0;
        foreach (var c in text)
        {
            var blanks = c != '\t' ? 1 : size <= 0 ? 0 : size - column % size;
            budget.Growth(2 * Math.Min(blanks, int.MaxValue));
            result.Append(c == '\t' ? ' ' : c, (int)blanks);
            column = c is '\n' or '\r' ? 0 : column + blanks;
        }
        return result.ToString();
    }

    /// <summary>The part of a text that the arguments <c>start</c> and <c>end</c> mean, and where it begins; null when there is none such.
    /// Positions count code points.</summary>
    private static (string Text, int Start)? Range(string text, Arguments arguments, RenderBudget budget)
    {
        if (arguments.Get(1, "start") is null && arguments.Get(2, "end") is null)
        {
            return (text, 0);
        }
        budget.Characters(text.Length);
        var length = Values.Length(text);
        var start = Bound(1, "start", 0);
        var end = Bound(2, "end", length);
        if (start > length || start > end)
        {
            return null;
        }
        var first = Offset(start);
        return (text[first..Offset(Math.Min(end, length))], first);

        long Bound(int position, string name, long fallback) =>
            arguments.Get(position, name) is null ? fallback
            : arguments.Integer(position, name) is >= 0 and var given ? given : Math.Max(0, arguments.Integer(position, name) + length);

        int Offset(long points)
        {
            var at = 0;
            for (; points > 0; points--)
            {
                at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            }
            return at;
        }
    }

    private static long Find(string text, Arguments arguments, RenderBudget budget, bool last)
    {
        if (Range(text, arguments, budget) is not { } range)
        {
            return -1;
        }
        var part = arguments.Text(0, "sub");
        var at = Find(range.Text, part, last, budget);
        return at < 0 ? -1 : Position(text, range.Start + at);
    }

    private static object?[] Partition(string text, string separator, bool last, RenderBudget budget)
    {
        var at = Find(text, separator, last, budget);
        budget.Cuts(3, text.Length);
        return at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]]
            : last ? ["", "", text]
            : [text, "", ""];
    }

    private static string Separator(Arguments arguments) =>
        arguments.Text(0, "sep") is { Length: > 0 } separator ? separator : throw new RenderError("the separator is empty");

    private static bool AnyOf(object? parts, Func<string, bool> matches, RenderBudget budget)
    {
        return parts switch
        {
            string part => Matches(part),
            object?[] tuple => tuple.Any(part => part is string text && Matches(text)),
            _ => throw new RenderError($"a string or a tuple of strings is needed, not {Values.TypeName(parts)}"),
        };

        bool Matches(string part)
        {
            budget.Work(part);
            return matches(part);
        }
    }

    // Positions count code points, as in Python.
    private static long Position(string text, int at) => at <= 0 ? at : CodePoints.Count(text.AsSpan(0, at));

    private static int Find(string text, string part, bool last, RenderBudget budget)
    {
        budget.Search(text, part);
        return last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
    }

    private static long Count(string text, string part, RenderBudget budget)
    {
        budget.Search(text, part);
        return part.Length == 0 ? CodePoints.Count(text) + 1 : text.AsSpan().Count(part);
    }

    private static string Cut(string text, int start, int end, RenderBudget budget)
    {
        budget.Characters(end - start == text.Length ? 0 : end - start);
        return text[start..end];
    }

    private static HashSet<char> Characters(string text, RenderBudget budget)
    {
        budget.Work(text);
        HashSet<char> set = [];
        foreach (var c in text)
        {
            if (set.Add(c))
            {
                budget.Objects();
            }
        }
        return set;
    }

    private static string Pad(string text, Arguments arguments, RenderBudget budget, Func<int, char, string> pad)
    {
        var width = Math.Max(arguments.Integer(0, "width"), text.Length);
        budget.Characters(3 * Math.Min(width, int.MaxValue));
        var fill = arguments.Text(1, "fillchar", " ");
        return fill.Length == 1 ? pad((int)width, fill[0]) : throw new RenderError($"the fill must be one character, not '{fill}'");
    }
}
