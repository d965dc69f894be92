using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The filter <c>tojson</c> as chat templates expect it: Python's <c>json.dumps</c>, nothing escaped for HTML.</summary>
internal sealed class JsonFormat(
    RenderBudget budget, bool ensureAscii, string? indent, string itemSeparator, string keySeparator, bool sortKeys)
{
    private readonly StringBuilder _result = new();

    /// <summary>Takes json.dumps' arguments <c>ensure_ascii</c>, <c>indent</c>, <c>separators</c> and <c>sort_keys</c>.</summary>
    public static string Format(object? value, Arguments arguments, RenderBudget budget)
    {
        var indent = arguments.Get(1, "indent") switch
        {
            null => null,
            string text => text,
            long width => Blanks(width, budget),
            var other => throw new RenderError($"'indent' must be a number or a string, not {Values.TypeName(other)}"),
        };
        (var itemSeparator, var keySeparator) = arguments.Get(2, "separators") switch
        {
            null => (indent is null ? ", " : ",", ": "),
            IReadOnlyList<object?> and [string item, string key] => (item, key),
            _ => throw new RenderError("'separators' must be two strings"),
        };
        JsonFormat format = new(
            budget, arguments.Flag(0, "ensure_ascii"), indent, itemSeparator, keySeparator, arguments.Flag(3, "sort_keys"));
        format.Append(value, 0);
        budget.Characters(format._result.Length);
        return format._result.ToString();
    }

    private static string Blanks(long width, RenderBudget budget)
    {
        budget.Characters(Math.Clamp(width, 0, int.MaxValue));
        return new string(' ', (int)Math.Max(0, width));
    }

    private void Append(object? value, int depth)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        budget.Step();
        switch (value)
        {
            case IReadOnlyList<object?> list:
                AppendAll(list, '[', ']', depth, item => Append(item, depth + 1));
                return;
            case Dict dict:
                budget.Objects(dict.Count);
                var entries = sortKeys ? dict.Entries.OrderBy(e => KeyText(e.Key), StringComparer.Ordinal) : dict.Entries;
                AppendAll([.. entries], '{', '}', depth, entry =>
                {
                    AppendString(KeyText(entry.Key));
                    budget.Growth(keySeparator.Length);
                    _result.Append(keySeparator);
                    Append(entry.Value, depth + 1);
                });
                return;
            case string text:
                AppendString(text);
                break;
            default:
                budget.Scalar(value);
                _result.Append(Scalar(value));
                break;
        }
    }

    private static string Scalar(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        long or BigInteger => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture),
        double number =>
            double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : PythonFloat.Format(number),
        Undefined undefined => throw new RenderError($"{undefined.Message} and cannot be written as JSON"),
        _ => throw new RenderError($"{Values.TypeName(value)} cannot be written as JSON"),
    };

    private static string KeyText(object? key) => key as string ?? Scalar(key);

    private void AppendAll<T>(IReadOnlyList<T> items, char open, char close, int depth, Action<T> append)
    {
        budget.Growth(2);
        _result.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            budget.Growth(i > 0 ? itemSeparator.Length : 0);
            _result.Append(i > 0 ? itemSeparator : "");
            AppendLineBreak(depth + 1);
            append(items[i]);
        }
        if (items.Count > 0)
        {
            AppendLineBreak(depth);
        }
        _result.Append(close);
    }

    private void AppendLineBreak(int depth)
    {
        if (indent is null)
        {
            return;
        }
        budget.Growth(1 + (long)indent.Length * depth);
        _result.Append('\n');
        for (var i = 0; i < depth; i++)
        {
            _result.Append(indent);
        }
    }

    private void AppendString(string text)
    {
        budget.Work(text);
        budget.Growth(2 + text.Length);
        _result.Append('"');
        foreach (var c in text)
        {
            var known = "\"\\\n\r\t\b\f".IndexOf(c, StringComparison.Ordinal);
            if (known >= 0)
            {
                budget.Growth(1);
                _result.Append('\\').Append("\"\\nrtbf"[known]);
            }
            else if (c < ' ' || (ensureAscii && c > '~'))
            {
                budget.Growth(5);
                _result.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                _result.Append(c);
            }
        }
        _result.Append('"');
    }
}
