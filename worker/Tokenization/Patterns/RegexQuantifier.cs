namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Reads how often something is repeated in a regex of Oniguruma. Part of <see cref="RegexTranslator"/>.</summary>
internal static class RegexQuantifier
{
    private const int MaxRepeats = 100_000;

    /// <returns>As .NET has it; null, and nowhere further, where none comes.</returns>
    public static string? Read(RegexCursor cursor)
    {
        if (cursor.Peek is '*' or '+' or '?')
        {
            return ((char)cursor.Next()).ToString();
        }
        var place = cursor.Place;
        if (cursor.Take("{"))
        {
            var least = cursor.Number();
            var isRange = cursor.Take(",");
            var most = isRange ? cursor.Number() : least;
            if (char.IsAsciiDigit(cursor.Peek))
            {
                throw new ArgumentException($"a repetition above {MaxRepeats} is too large");
            }
            if (cursor.Take("}") && (least ?? most) is not null)
            {
                if (most < least)
                {
                    throw new ArgumentException($"a repetition {{{least},{most}}} has its ends swapped");
                }
                return Math.Max(least ?? 0, most ?? 0) > MaxRepeats
                    ? throw new ArgumentException($"a repetition above {MaxRepeats} is too large")
                    : isRange ? $"{{{least ?? 0},{most}}}" : $"{{{least}}}";
            }
        }
        cursor.Place = place;
        return null;
    }
}
