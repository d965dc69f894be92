using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>str</c>.</summary>
internal static class StringMethods
{
    /// <summary>The method bound to a string, or null when there is none of that name.</summary>
    public static Function? Find(string text, string name, RenderBudget budget)
    {
        Func<Arguments, object?>? method = name switch
        {
            "strip" => a => Strip(text, a, left: true, right: true, budget),
            "lstrip" => a => Strip(text, a, left: true, right: false, budget),
            "rstrip" => a => Strip(text, a, left: false, right: true, budget),
            "split" => a => StringSplits.Split(text, a, budget),
            "rsplit" => a => StringSplits.RightSplit(text, a, budget),
            "splitlines" => a => StringSplits.SplitLines(text, a.Flag(0, "keepends"), budget),
            "partition" => a => StringSplits.Partition(text, a.Text(0, "sep"), last: false, budget),
            "rpartition" => a => StringSplits.Partition(text, a.Text(0, "sep"), last: true, budget),
            "join" => a => Join(text, Values.Items(a.Required(0, "iterable"), budget), budget),
            "replace" => a => Replace(text, a.Text(0, "old"), a.Text(1, "new"), a.Integer(2, "count", -1), budget),
            "startswith" => a => StringPositions.Range(text, a, budget) is { } range
                && AnyOf(a.Required(0, "prefix"), part => range.Text.StartsWith(part, StringComparison.Ordinal), budget),
            "endswith" => a => StringPositions.Range(text, a, budget) is { } range
                && AnyOf(a.Required(0, "suffix"), part => range.Text.EndsWith(part, StringComparison.Ordinal), budget),
            "removeprefix" => a => a.Text(0, "prefix") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal)
                ? Cut(text, prefix.Length, text.Length, budget)
                : text,
            "removesuffix" => a => a.Text(0, "suffix") is var suffix && text.EndsWith(suffix, StringComparison.Ordinal)
                ? Cut(text, 0, text.Length - suffix.Length, budget)
                : text,
            "find" => a => StringPositions.Find(text, a, budget, last: false),
            "rfind" => a => StringPositions.Find(text, a, budget, last: true),
            "index" or "rindex" => a => StringPositions.Find(text, a, budget, last: name == "rindex") is >= 0 and var at
                ? at
                : throw new RenderError("substring not found"),
            "count" => a => StringPositions.Range(text, a, budget) is { } range
                ? StringPositions.Count(range.Text, a.Text(0, "sub"), budget)
                : 0L,
            "format" => a => StringFormat.Apply(text, a, budget),
            "format_map" => a => StringFormat.ApplyMap(text, a.Required(0, "mapping"), budget),
            "casefold" => _ => FullCaseFolding.Fold(text, budget),
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
            budget.Characters(text.Length + (replacement.Length - old.Length) * StringPositions.Count(text, old, budget));
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

    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

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
