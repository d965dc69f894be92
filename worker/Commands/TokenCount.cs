using System.Globalization;

namespace Cluster.Worker.Commands;

/// <summary>Numbers of tokens as vLLM takes them: 4096, 4k and 25.6k (thousands), 4K (1024 each).</summary>
internal static class TokenCount
{
    /// <summary>What would be right, after "expected".</summary>
    public const string Expected = "a whole number, such as 4096, 4k (4000) or 4K (4096)";

    /// <returns>Null where it is no such number.</returns>
    public static int? Parse(string text)
    {
        var factor = text.Length == 0 ? 1 : text[^1] switch
        {
            'k' => 1_000,
            'm' => 1_000_000,
            'g' => 1_000_000_000,
            'K' => 1 << 10,
            'M' => 1 << 20,
            'G' => 1 << 30,
            _ => 1,
        };

        // Parts of 1024 are no round numbers, so vLLM has none.
        var style = NumberStyles.AllowLeadingSign
            | (factor > 1 && char.IsAsciiLetterLower(text[^1]) ? NumberStyles.AllowDecimalPoint : NumberStyles.None);
        return decimal.TryParse(factor > 1 ? text.AsSpan()[..^1] : text, style, CultureInfo.InvariantCulture, out var number)
            && Math.Abs(number) <= int.MaxValue
            && number * factor is >= int.MinValue and <= int.MaxValue and var count
            && decimal.IsInteger(count)
                ? (int)count
                : null;
    }
}
