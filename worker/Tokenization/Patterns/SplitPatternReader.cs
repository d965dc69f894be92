namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Reads <c>{"Regex": …}</c> or <c>{"String": …}</c>.</summary>
internal static class SplitPatternReader
{
    public static ISplitPattern Read(JsonPart part)
    {
        if (part.OptionalString("String") is { } literal)
        {
            return literal.Length > 0 ? new LiteralPattern(literal) : throw part.Error("an empty string matches nothing");
        }
        if (part.OptionalString("Regex") is not { } regex)
        {
            throw part.Error("neither 'Regex' nor 'String'");
        }
        return OfRegex(part, regex);
    }

    /// <param name="part">Where the regex stands, for messages.</param>
    /// <exception cref="TokenizerFormatException">It is none, or cannot be matched as its engine would.</exception>
    public static ISplitPattern OfRegex(JsonPart part, string regex)
    {
        try
        {
            return KnownRegexes.Find(regex) ?? new RegexPattern(regex);
        }
        catch (ArgumentException e)
        {
            throw part.Error($"regex '{regex}' cannot be used: {e.Message}", e);
        }
    }
}
