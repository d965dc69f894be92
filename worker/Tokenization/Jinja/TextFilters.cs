using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Filters that make text of text. What is no string is written as one first, as in Jinja.</summary>
internal static class TextFilters
{
    public static void AddTo(Dictionary<string, Filter> filters)
    {
        Add("string", (text, _, _) => text);
        Add("safe", (text, _, _) => text);
        Add("upper", (text, _, budget) => Same(text, budget).ToUpperInvariant());
        Add("lower", (text, _, budget) => Same(text, budget).ToLowerInvariant());
        Add("capitalize", (text, _, budget) => StringMethods.Capitalize(text, budget));
        Add("title", (text, _, budget) => Title(Same(text, budget)));
        Add("trim", (text, a, budget) => StringMethods.Strip(text, a, left: true, right: true, budget));
        Add("replace", (text, a, budget) => StringMethods.Replace(
            text, ValueWriter.ToText(a.Required(0, "old"), budget), ValueWriter.ToText(a.Required(1, "new"), budget),
            a.Integer(2, "count", -1), budget));
        Add("indent", Indent);
        Add("truncate", Truncate);
        Add("center", Center);
        Add("escape", (text, _, budget) => Escape(text, budget));
        filters["e"] = filters["escape"];
        filters["format"] = (value, a, evaluator) => PercentFormat.Apply(
            ValueWriter.ToText(value, evaluator.Budget), a.Positional.ToArray(), evaluator.Budget);
        Add("urlencode", UrlEncode);
        filters["wordcount"] = (value, _, evaluator) => CountWords(ValueWriter.ToText(value, evaluator.Budget));
        filters["tojson"] = (value, a, evaluator) => JsonFormat.Format(value, a, evaluator.Budget);
        filters["pprint"] = (value, _, evaluator) => ValueWriter.Repr(value, evaluator.Budget);

        void Add(string name, Func<string, Arguments, RenderBudget, string> filter) => filters[name] = (value, arguments, evaluator) =>
            filter(ValueWriter.ToText(value, evaluator.Budget), arguments, evaluator.Budget);
    }

    private static string Same(string text, RenderBudget budget)
    {
        budget.Characters(text.Length);
        return text;
    }

    private static string UrlEncode(string text, Arguments arguments, RenderBudget budget)
    {
        // %XX for each byte of UTF-8, and a copy with the slashes as they were.
        budget.Characters(2 * 3L * System.Text.Encoding.UTF8.GetByteCount(text));
        return Uri.EscapeDataString(text).Replace("%2F", "/", StringComparison.Ordinal);
    }

    private static long CountWords(string text)
    {
        var count = 0L;
        for (var i = 0; i < text.Length; i++)
        {
            count += !char.IsWhiteSpace(text[i]) && (i == 0 || char.IsWhiteSpace(text[i - 1])) ? 1 : 0;
        }
        return count;
    }

    // Unlike str.title, the filter starts words only at blanks, hyphens and opening brackets.
    private static string Title(string text) => string.Create(text.Length, text, (target, source) =>
    {
        var inWord = false;
        for (var i = 0; i < source.Length; i++)
        {
            target[i] = inWord ? char.ToLowerInvariant(source[i]) : char.ToUpperInvariant(source[i]);
            inWord = !char.IsWhiteSpace(source[i]) && source[i] is not ('-' or '(' or '{' or '[' or '<');
        }
    });

    private static string Indent(string text, Arguments arguments, RenderBudget budget)
    {
        var indent = arguments.Get(0, "width", 4L) is string given ? given : new string(' ', Width(arguments, 0, "width", 4));
        var count = 1L + text.AsSpan().Count('\n') + text.AsSpan().Count('\r');
        budget.Cuts(2 * count, 2L * text.Length);
        budget.Characters(text.Length + 2 * indent.Length * count);
        var lines = text.ReplaceLineEndings("\n").Split('\n');
        bool first = arguments.Flag(1, "first"), blank = arguments.Flag(2, "blank");
        return string.Join('\n', lines.Select((line, i) => (i == 0 ? first : blank || line.Length > 0) ? indent + line : line));
    }

    private static string Truncate(string text, Arguments arguments, RenderBudget budget)
    {
        var length = Width(arguments, 0, "length", 255);
        var end = arguments.Text(2, "end", "...");
        if (text.Length <= length + arguments.Integer(3, "leeway", 5))
        {
            return text;
        }
        budget.Characters(3L * length + end.Length);
        var cut = text[..Math.Max(0, length - end.Length)];
        var lastSpace = cut.LastIndexOf(' ');
        return (arguments.Flag(1, "killwords") || lastSpace < 0 ? cut : cut[..lastSpace]) + end;
    }

    private static string Center(string text, Arguments arguments, RenderBudget budget)
    {
        var missing = Width(arguments, 0, "width", 80) - text.Length;
        budget.Characters(2L * Math.Max(0, missing) + text.Length);
        return missing <= 0 ? text : new string(' ', missing / 2) + text + new string(' ', missing - missing / 2);
    }

    private static int Width(Arguments arguments, int position, string name, long fallback) =>
        arguments.Integer(position, name, fallback) switch
        {
            >= 0 and <= 10_000 and var width => (int)width,
            var width => throw new RenderError($"'{name}' is {width}, expected 0 to 10000"),
        };

    private static string Escape(string text, RenderBudget budget)
    {
        budget.Characters(2L * text.Length);
        StringBuilder result = new(text.Length);
        foreach (var c in text)
        {
            var entity = c switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '"' => "&#34;", '\'' => "&#39;", _ => null };
            budget.Growth(2 * entity?.Length ?? 0);
            _ = entity is null ? result.Append(c) : result.Append(entity);
        }
        return result.ToString();
    }
}
