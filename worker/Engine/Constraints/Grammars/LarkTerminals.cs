namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>The terminals of Lark's module <c>common</c>, as patterns.</summary>
internal static class LarkTerminals
{
    private const string Decimal = "([0-9]+\\.[0-9]*|\\.[0-9]+)";
    private const string Exponent = "[eE][+-]?[0-9]+";
    private const string Float = "([0-9]+" + Exponent + "|" + Decimal + "(" + Exponent + ")?)";
    private const string Number = "(" + Float + "|[0-9]+)";

    private static readonly Dictionary<string, string> Patterns = new(StringComparer.Ordinal)
    {
        ["DIGIT"] = "[0-9]",
        ["HEXDIGIT"] = "[0-9a-fA-F]",
        ["INT"] = "[0-9]+",
        ["SIGNED_INT"] = "[+-]?[0-9]+",
        ["DECIMAL"] = Decimal,
        ["FLOAT"] = Float,
        ["SIGNED_FLOAT"] = "[+-]?" + Float,
        ["NUMBER"] = Number,
        ["SIGNED_NUMBER"] = "[+-]?" + Number,
        ["ESCAPED_STRING"] = "\"([^\"\\\\\\n]|\\\\[^\\n])*\"",
        ["LCASE_LETTER"] = "[a-z]",
        ["UCASE_LETTER"] = "[A-Z]",
        ["LETTER"] = "[A-Za-z]",
        ["WORD"] = "[A-Za-z]+",
        ["CNAME"] = "[_A-Za-z][_A-Za-z0-9]*",
        ["WS_INLINE"] = "[ \\t]+",
        ["WS"] = "[ \\t\\f\\r\\n]+",
        ["CR"] = "\\r",
        ["LF"] = "\\n",
        ["NEWLINE"] = "(\\r?\\n)+",
        ["SH_COMMENT"] = "#[^\\n]*",
        ["CPP_COMMENT"] = "//[^\\n]*",
        ["SQL_COMMENT"] = "--[^\\n]*",
    };

    public static string Known => string.Join(", ", Patterns.Keys);

    public static string? PatternOf(string name) => Patterns.GetValueOrDefault(name);
}
