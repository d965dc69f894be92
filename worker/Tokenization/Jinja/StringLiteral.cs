using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's string escapes.</summary>
internal static class StringLiteral
{
    /// <param name="body">What stands between the quotes.</param>
    public static string Unescape(ReadOnlySpan<char> body, int line)
    {
        if (!body.Contains('\\'))
        {
            return body.ToString();
        }
        StringBuilder result = new(body.Length);
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] != '\\')
            {
                result.Append(body[i]);
                continue;
            }
            var escape = body[++i];
            switch (escape)
            {
                case '\n':
                    break;
                case 'x':
                    i += AppendCode(body[(i + 1)..], 2, line, result);
                    break;
                case 'u':
                    i += AppendCode(body[(i + 1)..], 4, line, result);
                    break;
                case 'U':
                    i += AppendCode(body[(i + 1)..], 8, line, result);
                    break;
                case >= '0' and <= '7':
                    int value = 0, digits = 0;
                    for (; digits < 3 && i + digits < body.Length && body[i + digits] is >= '0' and <= '7'; digits++)
                    {
                        value = value * 8 + (body[i + digits] - '0');
                    }
                    result.Append((char)value);
                    i += digits - 1;
                    break;
                default:
                    var known = "abfnrtv\\'\"".IndexOf(escape, StringComparison.Ordinal);
                    result.Append(known >= 0 ? "\a\b\f\n\r\t\v\\'\""[known] : '\\');
                    if (known < 0)
                    {
                        // Python keeps an unknown escape as it is written.
                        result.Append(escape);
                    }
                    break;
            }
        }
        return result.ToString();
    }

    private static int AppendCode(ReadOnlySpan<char> digits, int count, int line, StringBuilder result)
    {
        if (digits.Length < count
            || !int.TryParse(digits[..count], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || code is < 0 or > 0x10FFFF)
        {
            throw new TemplateError(line, $"a string has an escape without {count} hexadecimal digits of a code point");
        }
        if (code <= char.MaxValue)
        {
            result.Append((char)code);
        }
        else
        {
            result.Append(char.ConvertFromUtf32(code));
        }
        return count;
    }
}
