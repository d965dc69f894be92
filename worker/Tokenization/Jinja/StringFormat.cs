using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's <c>"{} is {age:03d}".format("Bo", age=7)</c>: fields by order, position and name, with attributes, items, conversions
/// and specifications, which may hold fields themselves.</summary>
/// <param name="named">Values by name: a call's, or the dict of <c>format_map</c>.</param>
internal sealed class StringFormat(IReadOnlyList<object?> positional, Func<string, object?> named, RenderBudget budget)
{
    /// <summary>Python's own bound on fields within specifications.</summary>
    private const int MaxDepth = 2;

    private readonly ExpressionEvaluator _evaluator = new(budget);
    private int _next;
    private bool _counts;
    private bool _numbers;

    public static string Apply(string format, Arguments arguments, RenderBudget budget) => new StringFormat(
        arguments.Positional,
        name => arguments.Named.TryGetValue(name, out var value) ? value
            : throw new RenderError($"the format has no value '{Short(name)}'"),
        budget).Format(format, MaxDepth);

    public static string ApplyMap(string format, object? map, RenderBudget budget) => new StringFormat(
        [],
        name => map is Dict dict && dict.TryGet(name, out var value, budget) ? value
            : throw new RenderError($"the format has no value '{Short(name)}'"),
        budget).Format(format, MaxDepth);

    private string Format(string format, int depth)
    {
        if (depth == 0)
        {
            throw new RenderError("fields of a format stand too deep within one another");
        }
        StringBuilder result = new();
        var at = 0;
        while (at < format.Length)
        {
            budget.Step();
            var brace = format.AsSpan(at).IndexOfAny('{', '}') is >= 0 and var found ? at + found : format.Length;
            Append(format[at..brace]);
            at = brace + 1;
            if (brace == format.Length)
            {
                break;
            }
            if (at < format.Length && format[at] == format[brace])
            {
                Append(format[brace].ToString());
                at++;
                continue;
            }
            if (format[brace] == '}')
            {
                throw new RenderError($"format '{Short(format)}' has a single '}}'");
            }
            var end = EndOf(format, at);
            Append(Field(format[at..end], depth));
            at = end + 1;
        }
        budget.Characters(result.Length);
        return result.ToString();

        void Append(string text)
        {
            budget.Characters(text.Length);
            result.Append(text);
        }
    }

    /// <summary>Where the field's own brace closes; those in its specification come in pairs.</summary>
    private static int EndOf(string format, int at)
    {
        var open = 1;
        for (var i = at; i < format.Length; i++)
        {
            open += format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
            if (open == 0)
            {
                return i;
            }
        }
        throw new RenderError($"format '{Short(format)}' has a '{{' that is not closed");
    }

    private string Field(string field, int depth)
    {
        // Brackets hold keys, which may have any character but their own.
        var at = 0;
        var inBrackets = false;
        while (at < field.Length && (inBrackets || field[at] is not ('!' or ':')))
        {
            inBrackets = field[at] == '[' || (inBrackets && field[at] != ']');
            at++;
        }
        var value = Value(field[..at]);
        if (at < field.Length && field[at] == '!')
        {
            var conversion = at + 1 < field.Length ? field[at + 1] : ' ';
            value = conversion switch
            {
                's' => ValueWriter.ToText(value, budget),
                'r' => ValueWriter.Repr(value, budget),
                'a' => PercentFormat.Ascii(ValueWriter.Repr(value, budget), budget),
                _ => throw new RenderError($"format field '{Short(field)}' has an unknown conversion"),
            };
            at += 2;
            if (at < field.Length && field[at] != ':')
            {
                throw new RenderError($"format field '{Short(field)}' must have ':' behind its conversion");
            }
        }
        var spec = at < field.Length ? field[(at + 1)..] : "";
        spec = spec.AsSpan().ContainsAny('{', '}') ? Format(spec, depth - 1) : spec;
        return FormatSpec.Parse(spec).Apply(value, budget);
    }

    private object? Value(string path)
    {
        var end = path.AsSpan().IndexOfAny('.', '[') is >= 0 and var found ? found : path.Length;
        var value = First(path[..end]);
        while (end < path.Length)
        {
            var start = end + 1;
            if (path[end] == '.')
            {
                end = path.AsSpan(start).IndexOfAny('.', '[') is >= 0 and var next ? start + next : path.Length;
                value = _evaluator.GetAttribute(value, path[start..end]);
                continue;
            }
            var close = path.IndexOf(']', start);
            if (path[end] != '[' || close < 0)
            {
                throw new RenderError($"'{Short(path)}' is no field of a format");
            }
            var key = path[start..close];
            value = _evaluator.GetItem(value, Index(key) is { } index ? index : key);
            end = close + 1;
        }
        return value;
    }

    private object? First(string name)
    {
        var index = name.Length == 0 ? null : Index(name);
        if (name.Length > 0 && index is null)
        {
            return named(name);
        }
        _counts |= index is null;
        _numbers |= index is not null;
        if (_counts && _numbers)
        {
            throw new RenderError("a format has either all its positions written out or none");
        }
        var position = index ?? _next++;
        return position < positional.Count
            ? positional[(int)position]
            : throw new RenderError($"the format needs more than {positional.Count} values");
    }

    private static long? Index(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Short(string text) => text.Length > 40 ? text[..40] + "…" : text;
}
