using System.Text;
using Google.Protobuf;

namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary>Reads a tokenizer.model: the fields of <c>ModelProto</c> that encoding needs, by their numbers in sentencepiece_model.proto.
/// Called by <see cref="SentencePieceModel.Read"/>.</summary>
internal static class ModelProtoReader
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static SentencePieceModel Read(string path)
    {
        List<VocabularyPiece> pieces = [];
        SentencePieceModel model = new() { Pieces = pieces };
        var bytes = RegularFile.ReadBytes(path, FileKind.Tokenizer);
        try
        {
            CodedInputStream input = new(bytes);
            while (input.ReadTag() is var tag and not 0)
            {
                switch (WireFormat.GetTagFieldNumber(tag))
                {
                    case 1 when IsMessage(tag):
                        pieces.Add(ReadPiece(path, pieces.Count, input.ReadBytes().CreateCodedInput()));
                        break;
                    case 2 when IsMessage(tag):
                        model = ReadTrainer(path, model, input.ReadBytes().CreateCodedInput());
                        break;
                    case 3 when IsMessage(tag):
                        model = ReadNormalizer(model, input.ReadBytes().CreateCodedInput());
                        break;
                    case 5 when IsMessage(tag) && !ReadNormalizer(model, input.ReadBytes().CreateCodedInput()).CharsMap.IsEmpty:
                        throw new TokenizerFormatException(
                            $"{path}: 'denormalizer_spec' has a 'precompiled_charsmap': rewriting decoded text is not supported");
                    default:
                        input.SkipLastField();
                        break;
                }
            }
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or DecoderFallbackException)
        {
            throw new TokenizerFormatException($"{path}: is no SentencePiece model: {e.Message}", e);
        }
        return pieces.Count > 0 ? model : throw new TokenizerFormatException($"{path}: is no SentencePiece model: it has no pieces");
    }

    private static VocabularyPiece ReadPiece(string path, int id, CodedInputStream input)
    {
        VocabularyPiece piece = new("", 0, PieceType.Normal);
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case 10:
                    piece = piece with { Text = Text(input) };
                    break;
                case 21:
                    piece = piece with { Score = input.ReadFloat() };
                    break;
                case 24:
                    piece = piece with { Type = (PieceType)input.ReadEnum() };
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
        return Enum.IsDefined(piece.Type)
            ? piece
            : throw new TokenizerFormatException($"{path}: pieces[{id}]: 'type' is {(int)piece.Type}, expected 1 to 6");
    }

    private static SentencePieceModel ReadTrainer(string path, SentencePieceModel model, CodedInputStream input)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case (3 << 3) | 0:
                    model = model with { IsUnigram = ReadKind(path, input.ReadEnum()) };
                    break;
                case (24 << 3) | 0 when input.ReadBool():
                    throw new TokenizerFormatException(
                        $"{path}: 'treat_whitespace_as_suffix' is true, which is not supported; expected false");
                case (35 << 3) | 0:
                    model = model with { ByteFallback = input.ReadBool() };
                    break;
                case (46 << 3) | 2:
                    model = model with { BosPiece = Text(input) };
                    break;
                case (47 << 3) | 2:
                    model = model with { EosPiece = Text(input) };
                    break;
                case (48 << 3) | 2:
                    model = model with { PadPiece = Text(input) };
                    break;
                case (24 << 3) | 0:
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
        return model;
    }

    private static bool ReadKind(string path, int value) => value switch
    {
        1 => true,
        2 => false,
        _ => throw new TokenizerFormatException(
            $"{path}: 'model_type' is {value switch { 3 => "WORD", 4 => "CHAR", _ => $"{value}" }}; supported: UNIGRAM, BPE"),
    };

    private static SentencePieceModel ReadNormalizer(SentencePieceModel model, CodedInputStream input)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case (2 << 3) | 2:
                    model = model with { CharsMap = input.ReadBytes().Memory };
                    break;
                case (3 << 3) | 0:
                    model = model with { AddDummyPrefix = input.ReadBool() };
                    break;
                case (4 << 3) | 0:
                    model = model with { RemoveExtraWhitespaces = input.ReadBool() };
                    break;
                case (5 << 3) | 0:
                    model = model with { EscapeWhitespaces = input.ReadBool() };
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
        return model;
    }

    private static bool IsMessage(uint tag) => WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited;

    private static string Text(CodedInputStream input) => Strict.GetString(input.ReadBytes().Span);
}
