using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>Maps <c>pre_tokenizer.type</c> of tokenizer.json to the class of that name.</summary>
internal static class PreTokenizerReader
{
    private const string Supported =
        "BertPreTokenizer, ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split, Whitespace, WhitespaceSplit";

    // \w of Unicode Technical Standard 18; .NET's own leaves out spacing marks, letter numbers and circled letters.
    private const string WordCharacters = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u200C\u200D\u24B6-\u24E9";

    public static IPreTokenizer Read(JsonPart part) => part.Type switch
    {
        "BertPreTokenizer" => BertPreTokenizer.Create(),
        "ByteLevel" => new ByteLevelPreTokenizer(part.Bool("add_prefix_space", true), part.Bool("use_regex", true)),
        "Digits" => new Split(
            new NumberPattern(),
            part.Bool("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous,
            invert: false),
        "Metaspace" => new MetaspacePreTokenizer(
            MetaspaceReader.ReadReplacement(part), MetaspaceReader.ReadPrependScheme(part), part.Bool("split", true)),
        "Punctuation" => new Split(
            new RegexPattern(BertPreTokenizer.Punctuation),
            part.IsNull("behavior") ? SplitBehavior.Isolated : ReadBehavior(part),
            invert: false),
        "Sequence" => new PreTokenizerSequence([.. part.Required("pretokenizers").Items().Select(Read)]),
        "Split" => new Split(
            SplitPatternReader.Read(part.Required("pattern")), ReadBehavior(part), part.Bool("invert", false)),
        "Whitespace" => new Split(
            new RegexPattern($@"[{WordCharacters}]+|[^\s{WordCharacters}]+"), SplitBehavior.Removed, invert: true),
        "WhitespaceSplit" => new Split(new RegexPattern(@"\s+"), SplitBehavior.Removed, invert: false),
        _ => throw part.UnknownType(Supported),
    };

    private static SplitBehavior ReadBehavior(JsonPart part)
    {
        var name = part.RequiredString("behavior");
        return Enum.GetNames<SplitBehavior>().Contains(name)
            ? Enum.Parse<SplitBehavior>(name)
            : throw part.Error($"unknown behavior '{name}'; supported: {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
    }
}
