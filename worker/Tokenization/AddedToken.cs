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

    /// <param name="id">Its id; tokenizer.json writes it inside the object, tokenizer_config.json as the key.</param>
    public static AddedToken Read(JsonPart part, int id)
    {
        var content = part.RequiredString("content");
        if (content.Length is 0 or > MaxLength)
        {
            throw part.Error($"'content' has {content.Length} characters, expected 1 to {MaxLength}");
        }
        if (id is < 0 or > Models.Vocabulary.MaxId)
        {
            throw part.Error($"id {id} is out of range, expected 0 to {Models.Vocabulary.MaxId}");
        }
        var special = part.Bool("special", false);
        return new AddedToken(
            id, content, special, part.Bool("single_word", false), part.Bool("lstrip", false), part.Bool("rstrip", false),
            part.Bool("normalized", !special));
    }
}
