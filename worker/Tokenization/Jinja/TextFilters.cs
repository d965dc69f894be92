using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Filters that make text of text. What is no string is written as one first, as in Jinja.</summary>
internal static class TextFilters
{
    /// <summary>Characters of the longest double, written out.</summary>
    private const int MaxNumber = 330;

    public static void AddTo(Dictionary<string, Filter> filters)
    {
        Add("string", (text, _, _) => text);
        Add("safe", (text, _, _) => text);
        Add("upper", (text, _, budget) => StringMethods.Same(text, budget).ToUpperInvariant());
        Add("lower", (text, _, budget) => StringMethods.Same(text, budget).ToLowerInvariant());
        Add("capitalize", (text, _, budget) => StringMethods.Capitalize(text, budget));
        Add("title", (text, _, budget) => Title(StringMethods.Same(text, budget)));
        Add("trim", (text, a, budget) => StringMethods.Strip(text, a, left: true, right: true, budget));
        Add("replace", (text, a, budget) => StringMethods.Replace(
            text, ValueWriter.ToText(a.Required(0, "old"), budget), ValueWriter.ToText(a.Required(1, "new"), budget),
            a.Integer(2, "count", -1), budget));
        Add("indent", Indent);
        Add("truncate", Truncate);
        Add("center", Center);
        Add("escape", (text, _, budget) => Escape(text, budget));
        filters["e"] = filters["escape"];
        filters["forceescape"] = filters["escape"];
        Add("wordwrap", TextWrap.Apply);
        Add("striptags", (text, _, budget) => StripTags(text, budget));
        filters["filesizeformat"] = (value, a, evaluator) => FileSize(value, a.Flag(0, "binary"), evaluator.Budget);
        filters["format"] = Format;
        Add("urlencode", UrlEncode);
        filters["wordcount"] = (value, _, evaluator) => CountWords(ValueWriter.ToText(value, evaluator.Budget));
        filters["tojson"] = (value, a, evaluator) => JsonFormat.Format(value, a, evaluator.Budget);
        filters["pprint"] = (value, _, evaluator) => ValueWriter.Repr(value, evaluator.Budget);

        void Add(string name, Func<string, Arguments, RenderBudget, string> filter) => filters[name] = (value, arguments, evaluator) =>
            filter(ValueWriter.ToText(value, evaluator.Budget), arguments, evaluator.Budget);
    }

    private static object? Format(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        if (arguments.Positional.Count > 0 && arguments.Named.Count > 0)
        {
            throw new RenderError("'format' takes values by position or by name, not both");
        }
        Dict named = [];
        foreach ((var name, var item) in arguments.Named)
        {
            named.Set(name, item, evaluator.Budget);
        }
        return PercentFormat.Apply(
            ValueWriter.ToText(value, evaluator.Budget), named.Count > 0 ? named : arguments.Positional.ToArray(), evaluator.Budget);
    }

    // Tags and comments go, blanks become one each, as in Markup.striptags; entities stay.
    private static string StripTags(string text, RenderBudget budget)
    {
        budget.Step(text.Length >> 3);
        budget.Characters(2L * text.Length);
        StringBuilder result = new(text.Length);
        for (var at = 0; at < text.Length; at++)
        {
            var comment = text.AsSpan(at).StartsWith("<!--", StringComparison.Ordinal);
            var end = text[at] != '<' ? -1 : comment ? text.IndexOf("-->", at, StringComparison.Ordinal) : text.IndexOf('>', at);
            if (text[at] == '<' && end < 0)
            {
                result.Append(text, at, text.Length - at);
                break;
            }
            _ = end < 0 ? result.Append(text[at]) : result;
            at = end < 0 ? at : end + (comment ? 2 : 0);
        }
        var stripped = result.ToString();
        budget.Cuts(2 * CountWords(stripped), 2L * stripped.Length);
        return string.Join(' ', stripped.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static string FileSize(object? value, bool binary, RenderBudget budget)
    {
        var bytes = value is string text && double.TryParse(
            text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var read)
            ? read
            : Values.AsNumber(Values.Defined(value)) ?? throw new RenderError($"a number of bytes is needed, not {Values.TypeName(value)}");
        budget.Characters(MaxNumber);
        double unit = binary ? 1024 : 1000;
        if (bytes == 1)
        {
            return "1 Byte";
        }
        if (bytes < unit)
        {
            return $"{PythonNumber.Float(Math.Truncate(bytes), 'f', 0, false)} Bytes";
        }
        var power = 1;
        while (power < 8 && bytes >= Math.Pow(unit, power + 1))
        {
            power++;
        }
        var prefix = "kMGTPEZY"[power - 1];
        var name = binary ? $"{char.ToUpperInvariant(prefix)}iB" : $"{prefix}B";
        return $"{PythonNumber.Float(bytes / Math.Pow(unit, power), 'f', 1, false)} {name}";
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

    private static string UrlEncode(string text, Arguments arguments, RenderBudget budget)
    {
        // %XX for each byte of UTF-8, and a copy with the slashes as they were.
        budget.Characters(2 * 3L * Encoding.UTF8.GetByteCount(text));
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
