namespace Cluster.Worker.Tokenization.Models;

/// <summary>Maps <c>model.type</c> of tokenizer.json to the class of that name. Old files leave the type out; with merges it is
/// BPE.</summary>
internal static class ModelReader
{
    private const string Supported = "BPE, Unigram, WordPiece";

    /// <param name="vocabulary">The model's tokens, which the tokenizer shares.</param>
    public static IModel Read(JsonPart part, out Vocabulary vocabulary)
    {
        switch (part.OptionalString("type") ?? (part.IsNull("merges") ? null : "BPE"))
        {
            case "BPE":
                vocabulary = Vocabulary.Read(part.Required("vocab"));
                return BpeReader.Read(part, vocabulary);
            case "Unigram":
                return UnigramReader.Read(part, out vocabulary);
            case "WordPiece":
                vocabulary = Vocabulary.Read(part.Required("vocab"));
                return WordPieceReader.Read(part, vocabulary);
            case null:
                throw part.Error($"'type' is missing; supported: {Supported}");
            default:
                throw part.UnknownType(Supported);
        }
    }
}
