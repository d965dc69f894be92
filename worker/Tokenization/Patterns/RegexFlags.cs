namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>What <c>(?imx)</c> switches in a regex of Oniguruma. Part of <see cref="RegexTranslator"/>.</summary>
/// <param name="DotTakesNewline"><c>m</c>, which is <c>s</c> in .NET. Anchors know lines in any case.</param>
internal readonly record struct RegexFlags(bool IgnoreCase, bool DotTakesNewline, bool Extended)
{
    /// <summary>Reads letters, up to something else.</summary>
    public static RegexFlags Read(RegexCursor cursor, RegexFlags flags)
    {
        for (var on = true; ; cursor.Next())
        {
            switch (cursor.Peek)
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    flags = flags with { IgnoreCase = on };
                    break;
                case 'm':
                    flags = flags with { DotTakesNewline = on };
                    break;
                case 'x':
                    flags = flags with { Extended = on };
                    break;
                default:
                    return flags;
            }
        }
    }
}
