using System.Collections.Concurrent;
using System.Globalization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The classes of <c>\p{…}</c>: general categories by their short and long names. Used by <see cref="RegexParser"/>.</summary>
internal static class UnicodeClasses
{
    private static readonly ConcurrentDictionary<string, RuneSet> Sets = new(StringComparer.Ordinal);

    /// <summary>Short names, in the order of <see cref="UnicodeCategory"/>; those of one letter are all that begin with it.</summary>
    private static readonly string[] Short =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    private static readonly Dictionary<string, string> Long = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L",
        ["Uppercase_Letter"] = "Lu",
        ["Uppercase"] = "Lu",
        ["Lowercase_Letter"] = "Ll",
        ["Lowercase"] = "Ll",
        ["Titlecase_Letter"] = "Lt",
        ["Modifier_Letter"] = "Lm",
        ["Other_Letter"] = "Lo",
        ["Mark"] = "M",
        ["Nonspacing_Mark"] = "Mn",
        ["Spacing_Mark"] = "Mc",
        ["Enclosing_Mark"] = "Me",
        ["Number"] = "N",
        ["Decimal_Number"] = "Nd",
        ["Letter_Number"] = "Nl",
        ["Other_Number"] = "No",
        ["Separator"] = "Z",
        ["Space_Separator"] = "Zs",
        ["Line_Separator"] = "Zl",
        ["Paragraph_Separator"] = "Zp",
        ["Other"] = "C",
        ["Control"] = "Cc",
        ["Format"] = "Cf",
        ["Private_Use"] = "Co",
        ["Unassigned"] = "Cn",
        ["Punctuation"] = "P",
        ["Connector_Punctuation"] = "Pc",
        ["Dash_Punctuation"] = "Pd",
        ["Open_Punctuation"] = "Ps",
        ["Close_Punctuation"] = "Pe",
        ["Initial_Punctuation"] = "Pi",
        ["Final_Punctuation"] = "Pf",
        ["Other_Punctuation"] = "Po",
        ["Symbol"] = "S",
        ["Math_Symbol"] = "Sm",
        ["Currency_Symbol"] = "Sc",
        ["Modifier_Symbol"] = "Sk",
        ["Other_Symbol"] = "So",
    };

    /// <param name="name">Such as <c>L</c>, <c>Lu</c>, <c>Letter</c>, <c>gc=Nd</c> or <c>General_Category=Letter</c>.</param>
    /// <returns>Null for a class that is not known here.</returns>
    public static RuneSet? Find(string name)
    {
        var value = name.Split('=', 2) is [var property, var given]
            ? property is "gc" or "General_Category" ? given : ""
            : name;
        if (value is "Any")
        {
            return RuneSet.All;
        }

        if (value is "ASCII")
        {
            return RuneSet.Of((0, 0x7F));
        }

        var category = Long.GetValueOrDefault(value, value);
        return category is "LC" ? RuneSet.Of(((string[])["Lu", "Ll", "Lt"]).SelectMany(one => Find(one)!.Ranges))
            : Short.Any(one => one == category || (category.Length == 1 && one[0] == category[0])) ? Sets.GetOrAdd(category, Make)
            : null;
    }

    private static RuneSet Make(string category) => RuneSet.Of(
        Short.Index().Where(one => one.Item.StartsWith(category, StringComparison.Ordinal))
            .SelectMany(one => UnicodeSets.Of((UnicodeCategory)one.Index).Ranges));
}
