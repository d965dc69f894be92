namespace Cluster.Worker.Tokenization;

/// <summary>A token recognised in the text itself, before any splitting.</summary>
/// <param name="Special">Left out of decoded text on request.</param>
/// <param name="SingleWord">Only between non-word characters.</param>
/// <param name="LeftStrip">Swallows whitespace before it.</param>
/// <param name="RightStrip">Swallows whitespace after it.</param>
/// <param name="Normalized">Searched for after normalization, itself normalized.</param>
internal sealed record AddedToken(
    int Id, string Content, bool Special, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized)
{
    /// <summary>Longest content accepted; real ones have a few dozen characters.</summary>
    public const int MaxLength = 4096;

    /// <summary>One that a tokenizer's own file marks as special: found wherever it is written out.</summary>
    public static AddedToken SpecialOf(int id, string content) => new(id, content, true, false, false, false, false);

    /// <param name="id">Its id; tokenizer.json writes it inside the object, tokenizer_config.json as the key.</param>
    public static AddedToken Read(JsonPart part, int id)
    {
        var special = part.Bool("special", false);
        return Of(part, part.RequiredString("content"), id) with
        {
            Special = special,
            SingleWord = part.Bool("single_word", false),
            LeftStrip = part.Bool("lstrip", false),
            RightStrip = part.Bool("rstrip", false),
            Normalized = part.Bool("normalized", !special),
        };
    }

    /// <summary>One without flags.</summary>
    public static AddedToken Of(JsonPart part, string content, int id)
    {
        if (content.Length is 0 or > MaxLength)
        {
            throw part.Error($"'content' has {content.Length} characters, expected 1 to {MaxLength}");
        }
        return id is >= 0 and <= Models.Vocabulary.MaxId
            ? new AddedToken(id, content, false, false, false, false, false)
            : throw part.Error($"id {id} is out of range, expected 0 to {Models.Vocabulary.MaxId}");
    }
}
