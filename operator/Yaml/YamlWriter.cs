using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Yaml;

/// <summary>Writes block-style YAML the way <c>kubectl -o yaml</c> lays it out: two spaces, list dashes level with their key. Called by
/// <see cref="YamlJson.ToYaml"/>.</summary>
/// <remarks>Strings stay plain where that reads back as the same string; long prose is folded (<c>>-</c>), text with line breaks becomes a
/// literal block (<c>|</c>), everything else is double-quoted. Not YamlDotNet's emitter: where it wraps double-quoted text after a tab, the
/// tab is lost.</remarks>
internal static class YamlWriter
{
    private const int FoldColumns = 110;

    public static void Write(StringBuilder output, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } mapping:
                WriteMapping(output, mapping, 0, startsOnDash: false);
                break;
            case JsonArray { Count: > 0 } list:
                WriteList(output, list, 0);
                break;
            default:
                WriteScalar(output, node, 0);
                output.Append('\n');
                break;
        }
    }

    private static void WriteMapping(StringBuilder output, JsonObject mapping, int indent, bool startsOnDash)
    {
        var first = startsOnDash;
        foreach ((var key, var value) in mapping)
        {
            output.Append(' ', first ? 0 : indent);
            first = false;
            WriteString(output, key, indent, isKey: true);
            output.Append(':');
            switch (value)
            {
                case JsonObject { Count: > 0 } child:
                    output.Append('\n');
                    WriteMapping(output, child, indent + 2, startsOnDash: false);
                    break;
                case JsonArray { Count: > 0 } child:
                    output.Append('\n');
                    WriteList(output, child, indent);
                    break;
                default:
                    output.Append(' ');
                    WriteScalar(output, value, indent + 2);
                    output.Append('\n');
                    break;
            }
        }
    }

    private static void WriteList(StringBuilder output, JsonArray list, int indent)
    {
        foreach (var item in list)
        {
            output.Append(' ', indent).Append('-');
            switch (item)
            {
                case JsonObject { Count: > 0 } child:
                    output.Append(' ');
                    WriteMapping(output, child, indent + 2, startsOnDash: true);
                    break;
                case JsonArray { Count: > 0 } child:
                    output.Append('\n');
                    WriteList(output, child, indent + 2);
                    break;
                default:
                    output.Append(' ');
                    WriteScalar(output, item, indent + 2);
                    output.Append('\n');
                    break;
            }
        }
    }

    private static void WriteScalar(StringBuilder output, JsonNode? node, int indent)
    {
        switch (node)
        {
            case null:
                output.Append("null");
                break;
            case JsonObject:
                output.Append("{}");
                break;
            case JsonArray:
                output.Append("[]");
                break;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                WriteString(output, value.GetValue<string>(), indent, isKey: false);
                break;
            default:
                output.Append(node.ToJsonString());
                break;
        }
    }

    private static void WriteString(StringBuilder output, string text, int indent, bool isKey)
    {
        if (!isKey && IsBlock(text))
        {
            WriteLiteral(output, text, indent);
        }
        else if (!isKey && indent + text.Length > FoldColumns && IsProse(text))
        {
            WriteFolded(output, text, indent);
        }
        else if (IsPlain(text))
        {
            output.Append(text);
        }
        else
        {
            WriteQuoted(output, text);
        }
    }

    private static void WriteLiteral(StringBuilder output, string text, int indent)
    {
        var trailing = text.Length - text.TrimEnd('\n').Length;
        output.Append('|').Append(trailing switch { 0 => "-", 1 => "", _ => "+" });
        var body = trailing == 0 ? text : text[..^1];
        foreach (var line in body.Split('\n'))
        {
            output.Append('\n').Append(' ', line.Length == 0 ? 0 : indent).Append(line);
        }
    }

    private static void WriteFolded(StringBuilder output, string text, int indent)
    {
        output.Append(">-");
        var column = FoldColumns;
        foreach (var word in text.Split(' '))
        {
            if (column + 1 + word.Length > FoldColumns)
            {
                output.Append('\n').Append(' ', indent).Append(word);
                column = indent + word.Length;
            }
            else
            {
                output.Append(' ').Append(word);
                column += 1 + word.Length;
            }
        }
    }

    private static void WriteQuoted(StringBuilder output, string text)
    {
        output.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => output.Append("\\\""),
                '\\' => output.Append("\\\\"),
                '\n' => output.Append("\\n"),
                '\t' => output.Append("\\t"),
                '\r' => output.Append("\\r"),
                _ when IsPrintable(c) => output.Append(c),
                _ => output.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}"),
            };
        }

        output.Append('"');
    }

    /// <summary>A literal block keeps only printable text, and its first line decides the indentation.</summary>
    private static bool IsBlock(string text)
        => text.Contains('\n', StringComparison.Ordinal) && text[0] is not (' ' or '\n' or '\t')
           && text.All(c => c == '\n' || IsPrintable(c))
           && !text.Split('\n').Any(line => line.EndsWith(' ') || line.StartsWith('\t'));

    /// <summary>Only single inner spaces: folding then turns each line break back into exactly the space it replaced.</summary>
    private static bool IsProse(string text)
        => text[0] != ' ' && text[^1] != ' ' && text.Contains(' ', StringComparison.Ordinal)
           && !text.Contains("  ", StringComparison.Ordinal) && text.All(IsPrintable);

    private static bool IsPlain(string text)
        => text.Length > 0 && !YamlScalar.NeedsQuotes(text)
           && !"-?:,[]{}#&*!|>'\"%@` =".Contains(text[0], StringComparison.Ordinal)
           && text[^1] is not (' ' or ':')
           && !text.Contains(": ", StringComparison.Ordinal) && !text.Contains(" #", StringComparison.Ordinal)
           && !text.StartsWith("...", StringComparison.Ordinal)
           && text.All(IsPrintable);

    /// <summary>Surrogates too: only go-yaml's <c>\U</c> could escape what they stand for, and raw they are allowed.</summary>
    private static bool IsPrintable(char c) => char.IsSurrogate(c)
        || c is >= ' ' and <= '~' or (>= '\u00A0' and < '\u2028') or (> '\u2029' and < '\uD800') or (>= '\uE000' and < '\uFEFF');
}
