using System.Globalization;
using System.Text;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;
using Cluster.Worker.Tokenization.SentencePiece;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads a tokenizer.model: texts become the pieces that SentencePiece makes of them, between the special tokens that are written
/// out in them, as in transformers' tokenizers of that kind.</summary>
internal static class SentencePieceReader
{
    /// <summary>Classes that number the pieces otherwise than their file, or begin texts as only their code knows.</summary>
    private static readonly string[] OtherwiseNumbered =
        ["XLMRobertaTokenizer", "CamembertTokenizer", "XGLMTokenizer", "MBartTokenizer", "NllbTokenizer", "ChatGLMTokenizer"];

    private const double UnknownPenalty = 10;

    public static TokenizerParts Read(TokenizerFile file)
    {
        var settings = TokenizerSettings.Read(file.Folder);
        if (settings.Class is { } name && OtherwiseNumbered.Contains(name))
        {
            throw new TokenizerFormatException(
                $"{settings.Path}: 'tokenizer_class' is '{name}', whose ids are not those of {file.Name}; convert the tokenizer to "
                + TokenizerReader.FileName);
        }
        var model = SentencePieceModel.Read(file.Path);
        return Parts(file, model, settings) with
        {
            Source = $"{file.Name} (SentencePiece {(model.IsUnigram ? "Unigram" : "BPE")})",
        };
    }

    /// <summary>The parts of a model that was read already.</summary>
    /// <param name="file">Where it was, for messages and for the files beside it.</param>
    /// <exception cref="TokenizerFormatException">The model contradicts itself.</exception>
    public static TokenizerParts Parts(TokenizerFile file, SentencePieceModel model, TokenizerSettings settings)
    {
        var vocabulary = ReadVocabulary(file.Path, model, out var unknownId, out var byteIds);
        VocabularyTrie userDefined = new(
            [.. model.Pieces.Select(piece => piece.Type == PieceType.UserDefined ? piece.Text : "")]);
        var prepend = !model.AddDummyPrefix || settings.AddPrefixSpace == false ? PrependScheme.Never
            : settings.Legacy == false ? PrependScheme.First
            : PrependScheme.Always;
        var added = AddedTokenFiles.Read(file.Folder, settings, OwnTokens(model), vocabulary);
        return new TokenizerParts(
            added, null, new SentencePieceNormalizer(model, ReadMap(file.Path, model), userDefined, prepend),
            model.IsUnigram
                ? UnigramOf(model, unknownId, byteIds)
                : new SentencePieceBpe(file.Path, model.Pieces, userDefined, unknownId, byteIds),
            vocabulary,
            EdgeTokens.Read(file.Folder, AddedTokenFiles.IdOf(added, vocabulary)) ?? Edges(file, model, settings),
            DecoderOf(model, prepend));
    }

    private static Vocabulary ReadVocabulary(string file, SentencePieceModel model, out int unknownId, out int[]? byteIds)
    {
        var pieces = model.Pieces;
        if (pieces.Count > Vocabulary.MaxId)
        {
            throw new TokenizerFormatException($"{file}: has {pieces.Count} pieces, at most {Vocabulary.MaxId} are supported");
        }
        Dictionary<string, int> ids = new(pieces.Count, StringComparer.Ordinal);
        unknownId = -1;
        byteIds = model.ByteFallback ? new int[256] : null;
        byteIds?.AsSpan().Fill(-1);
        for (var id = 0; id < pieces.Count; id++)
        {
            var (text, score, type) = pieces[id];
            if (text.Length is 0 or > Unigram.MaxTokenLength)
            {
                throw At(id, $"has {text.Length} characters, expected 1 to {Unigram.MaxTokenLength}");
            }
            if (!float.IsFinite(score))
            {
                throw At(id, $"has the score {score.ToString(CultureInfo.InvariantCulture)}, expected a finite number");
            }
            if (!ids.TryAdd(text, id))
            {
                throw At(id, $"'{text}' is the same as pieces[{ids[text]}]");
            }
            switch (type)
            {
                case PieceType.Unknown when unknownId >= 0:
                    throw At(id, $"is of type UNKNOWN as pieces[{unknownId}] is; expected one such piece");
                case PieceType.Unknown:
                    unknownId = id;
                    break;
                case PieceType.Byte when byteIds is null || !ByteFallback.TryReadByte(text, out _):
                    throw At(id, $"'{text}' is of type BYTE; expected <0x00> to <0xFF> in a model with byte_fallback");
                case PieceType.Byte:
                    _ = ByteFallback.TryReadByte(text, out var value);
                    byteIds![value] = id;
                    break;
            }
        }
        if (unknownId < 0)
        {
            throw new TokenizerFormatException($"{file}: has no piece of type UNKNOWN; expected one");
        }
        return byteIds?.AsSpan().IndexOf(-1) is { } missing and >= 0
            ? throw new TokenizerFormatException($"{file}: 'byte_fallback' is true, but there is no piece '<0x{missing:X2}>' of type BYTE")
            : new Vocabulary(ids);

        TokenizerFormatException At(int id, string problem) => new($"{file}: pieces[{id}] {problem}");
    }

    private static CharsMap? ReadMap(string file, SentencePieceModel model) => model.CharsMap.IsEmpty
        ? null
        : CharsMap.Read(model.CharsMap.Span, out var problem) ?? throw new TokenizerFormatException($"{file}: normalizer_spec: {problem}");

    // unigram_model.cc: scores are float32, and a user-defined piece scores its bytes times the best score, less 0.1.
    private static Unigram UnigramOf(SentencePieceModel model, int unknownId, int[]? byteIds)
    {
        var normal = model.Pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score).ToArray();
        var highest = Math.Max(1.17549435e-38f, normal.DefaultIfEmpty().Max());
        return new Unigram(
            [.. model.Pieces.Select(piece => piece.Type is PieceType.Normal or PieceType.UserDefined ? piece.Text : "")],
            [
                .. model.Pieces.Select(piece => piece.Type == PieceType.UserDefined
                    ? (Encoding.UTF8.GetByteCount(piece.Text) * highest) - 0.1
                    : piece.Score),
            ],
            new Vocabulary([]), unknownId, byteIds)
        {
            UnknownScore = (float)(normal.DefaultIfEmpty().Min() - UnknownPenalty),
            IsSinglePrecision = true,
        };
    }

    private static IEnumerable<AddedToken> OwnTokens(SentencePieceModel model) => model.Pieces.Select((piece, id) => (piece, id))
        .Where(entry => entry.piece.Type is PieceType.Control or PieceType.Unknown)
        .Select(entry => AddedToken.SpecialOf(entry.id, entry.piece.Text));

    // T5 ends texts, Llama, Gemma and Mistral begin them; other classes do what tokenizer_config.json says alone.
    private static TemplateProcessing? Edges(TokenizerFile file, SentencePieceModel model, TokenizerSettings settings)
    {
        var kind = settings.Class ?? TokenizerSettings.ModelTypeOf(file.Folder) ?? "Llama";
        if (kind.Contains("T5", StringComparison.OrdinalIgnoreCase))
        {
            return IdOf(model.EosPiece) is { } end ? new TemplateProcessing([null, end]) : null;
        }
        var begins = settings.Class is null || kind.Contains("Llama", StringComparison.Ordinal)
            || kind.Contains("Gemma", StringComparison.Ordinal);
        return begins && IdOf(model.BosPiece) is { } begin ? new TemplateProcessing([begin, null]) : null;

        int? IdOf(string text)
        {
            for (var id = 0; id < model.Pieces.Count; id++)
            {
                if (model.Pieces[id] is { Type: PieceType.Control } piece && piece.Text == text)
                {
                    return id;
                }
            }
            return null;
        }
    }

    private static DecoderSequence DecoderOf(SentencePieceModel model, PrependScheme prepend) => new(
    [
        new ReplaceDecoder(new LiteralPattern(SentencePieceNormalizer.Escaped.ToString()), " "),
        .. model.ByteFallback ? (IEnumerable<IDecoder>)[new ByteFallback()] : [],
        new Fuse(),
        .. prepend == PrependScheme.Never ? (IEnumerable<IDecoder>)[] : [new StripDecoder(' ', 1, 0)],
    ]);
}
