using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary>Maps <c>decoder.type</c> of tokenizer.json to the class of that name.</summary>
internal static class DecoderReader
{
    private const string Supported = "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece";

    public static IDecoder Read(JsonPart part) => part.Type switch
    {
        "ByteFallback" => new ByteFallback(),
        "ByteLevel" => new ByteLevelDecoder(),
        "Fuse" => new Fuse(),
        "Metaspace" => new MetaspaceDecoder(
            MetaspaceReader.ReadReplacement(part), MetaspaceReader.ReadPrependScheme(part) != PrependScheme.Never),
        "Replace" => new ReplaceDecoder(SplitPatternReader.Read(part.Required("pattern")), part.RequiredString("content")),
        "Sequence" => new DecoderSequence([.. part.Required("decoders").Items().Select(Read)]),
        "Strip" => ReadStrip(part),
        "WordPiece" => new WordPieceDecoder(part.OptionalString("prefix") ?? "##", part.Bool("cleanup", true)),
        _ => throw part.UnknownType(Supported),
    };

    private static StripDecoder ReadStrip(JsonPart part)
    {
        var content = part.RequiredString("content");
        return content.Length == 1
            ? new StripDecoder(content[0], part.RequiredInt("start"), part.RequiredInt("stop"))
            : throw part.Error($"'content' is '{content}', expected one character");
    }
}
