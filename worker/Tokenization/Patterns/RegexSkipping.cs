namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Passes over what means nothing in a regex of Oniguruma. Part of <see cref="RegexTranslator"/>.</summary>
internal static class RegexSkipping
{
    /// <summary>Comments, and in extended mode white space: also between an element and its quantifier.</summary>
    /// <returns>Whether there was any.</returns>
    public static bool Skip(RegexCursor cursor, RegexFlags flags)
    {
        var place = cursor.Place;
        while (SkipComment(cursor) || (flags.Extended && SkipSpace(cursor)))
        {
        }
        return cursor.Place > place;
    }

    private static bool SkipComment(RegexCursor cursor) => cursor.Take("(?#")
        && (cursor.Until(")") is not null ? true : throw new ArgumentException("a comment has no )"));

    private static bool SkipSpace(RegexCursor cursor)
    {
        if (cursor.Take("#"))
        {
            while (!cursor.AtEnd && cursor.Next() != '\n')
            {
            }
            return true;
        }
        if (cursor.Peek is ' ' or (>= '\t' and <= '\r'))
        {
            cursor.Next();
            return true;
        }
        return false;
    }
}
