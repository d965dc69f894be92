namespace Cluster.Worker.Tokenization.Models;

/// <summary>Reads the <c>WordPiece</c> model of tokenizer.json.</summary>
internal static class WordPieceReader
{
    public const string Prefix = "##";
    public const int MaxWordLength = 100;

    public static WordPiece Read(JsonPart part, Vocabulary vocabulary)
    {
        var prefix = part.OptionalString("continuing_subword_prefix") ?? Prefix;
        if (prefix.Length > SubwordAffixes.MaxLength)
        {
            throw part.Error(
                $"'continuing_subword_prefix' has {prefix.Length} characters, at most {SubwordAffixes.MaxLength} are supported");
        }
        var unknown = part.OptionalString("unk_token") ?? "[UNK]";
        var limit = part.Optional("max_input_chars_per_word")?.Int() ?? MaxWordLength;
        if (limit is < 1 or > WordPiece.MaxWordLimit)
        {
            throw part.Error($"'max_input_chars_per_word' is {limit}, expected 1 to {WordPiece.MaxWordLimit}");
        }
        return vocabulary.TryGetId(unknown, out var unknownId)
            ? new WordPiece(vocabulary, unknownId, prefix, limit)
            : throw part.Error($"unk_token '{unknown}' is not in the vocabulary");
    }
}
