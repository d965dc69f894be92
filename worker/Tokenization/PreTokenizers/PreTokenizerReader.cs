namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>Maps <c>pre_tokenizer.type</c> of tokenizer.json to the class of that name.</summary>
internal static class PreTokenizerReader
{
    private const string Supported = "ByteLevel, Digits, Sequence, Split";

    public static IPreTokenizer Read(JsonPart part) => part.Type switch
    {
        "ByteLevel" => new ByteLevel(part.Bool("add_prefix_space", true), part.Bool("use_regex", true)),
        "Digits" => new Split(
            new NumberPattern(),
            part.Bool("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous,
            invert: false),
        "Sequence" => new Sequence([.. part.Required("pretokenizers").Items().Select(Read)]),
        "Split" => new Split(
            SplitPatternReader.Read(part.Required("pattern")), ReadBehavior(part), part.Bool("invert", false)),
        _ => throw part.UnknownType(Supported),
    };

    private static SplitBehavior ReadBehavior(JsonPart part)
    {
        string name = part.RequiredString("behavior");
        return Enum.GetNames<SplitBehavior>().Contains(name)
            ? Enum.Parse<SplitBehavior>(name)
            : throw part.Error($"unknown behavior '{name}'; supported: {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
    }
}
