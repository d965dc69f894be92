using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's <c>str</c> and <c>repr</c>.</summary>
internal static class ValueWriter
{
    /// <summary>What <c>{{ value }}</c> and <c>value | string</c> give.</summary>
    public static string ToText(object? value, RenderBudget budget)
    {
        if (value is string text)
        {
            return text;
        }
        if (value is Undefined)
        {
            return "";
        }
        return Repr(value, budget);
    }

    public static string Repr(object? value, RenderBudget budget)
    {
        StringBuilder result = new();
        AppendRepr(value, result, budget);
        budget.Characters(result.Length);
        return result.ToString();
    }

    private static void AppendRepr(object? value, StringBuilder result, RenderBudget budget)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        budget.Step();
        budget.Scalar(value);
        switch (value)
        {
            case null:
                result.Append("None");
                break;
            case bool flag:
                result.Append(flag ? "True" : "False");
                break;
            case long or BigInteger:
                result.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                result.Append(PythonFloat.Format(number));
                break;
            case string text:
                AppendQuoted(text, result, budget);
                break;
            case List<object?> list:
                AppendItems(list, "[", "]", result, budget);
                return;
            case object?[] tuple:
                AppendItems(tuple, "(", tuple.Length == 1 ? ",)" : ")", result, budget);
                return;
            case GroupTuple group:
                AppendItems(group, "(", ")", result, budget);
                return;
            case Dict dict:
                AppendEntries(dict, result, budget);
                return;
            default:
                result.Append(value is Undefined ? "Undefined" : $"<{Values.TypeName(value)}>");
                break;
        }
    }

    private static void AppendItems(IReadOnlyList<object?> items, string open, string close, StringBuilder result, RenderBudget budget)
    {
        result.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            result.Append(i > 0 ? ", " : "");
            AppendRepr(items[i], result, budget);
        }
        result.Append(close);
    }

    private static void AppendEntries(Dict dict, StringBuilder result, RenderBudget budget)
    {
        result.Append('{');
        var first = true;
        foreach ((var key, var value) in dict.Entries)
        {
            result.Append(first ? "" : ", ");
            first = false;
            AppendRepr(key, result, budget);
            result.Append(": ");
            AppendRepr(value, result, budget);
        }
        result.Append('}');
    }

    private static int CountEscapes(string text)
    {
        var count = 0;
        foreach (var c in text)
        {
            count += c is < ' ' or '\'' or '"' or '\\' or '\x7F' ? 1 : 0;
        }
        return count;
    }

    private static void AppendQuoted(string text, StringBuilder result, RenderBudget budget)
    {
        budget.Work(text);
        budget.Growth(text.Length + CountEscapes(text) * 3L);
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        result.Append(quote);
        foreach (var c in text)
        {
            switch (c)
            {
                case '\n':
                    result.Append("\\n");
                    break;
                case '\r':
                    result.Append("\\r");
                    break;
                case '\t':
                    result.Append("\\t");
                    break;
                case < ' ' or '\x7F':
                    result.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
                    break;
                default:
                    result.Append(c == quote || c == '\\' ? "\\" : "").Append(c);
                    break;
            }
        }
        result.Append(quote);
    }
}
