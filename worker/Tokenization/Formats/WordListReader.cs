using System.Text;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads vocab.txt, BERT's list of word pieces: a line's number is its token's id. tokenizer_config.json says how texts are
/// normalized.</summary>
internal static class WordListReader
{
    private static readonly string[] Endings = ["BertTokenizer", "ElectraTokenizer", "LayoutLMTokenizer", "MPNetTokenizer"];

    public static IEnumerable<(string Name, string Token)> NamedTokens { get; } =
    [
        ("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]"),
    ];

    public static TokenizerParts Read(TokenizerFile file)
    {
        var settings = TokenizerSettings.Read(file.Folder);
        if (settings.Class is { } name && !Array.Exists(Endings, ending => name.EndsWith(ending, StringComparison.Ordinal)))
        {
            throw new TokenizerFormatException(
                $"{settings.Path}: 'tokenizer_class' is '{name}'; of {file.Name} are supported: {string.Join(", ", Endings)}; convert the "
                + $"tokenizer to {TokenizerReader.FileName}");
        }
        var vocabulary = ReadVocabulary(file.Path);
        var added = AddedTokenFiles.Read(file.Folder, settings, [], vocabulary);
        var named = SpecialTokenNames.Read(file.Folder);
        var lowers = settings.LowerCase ?? true;
        return new TokenizerParts(
            added,
            new BertNormalizer(cleansText: true, settings.TokenizeChinese ?? true, settings.StripAccents ?? lowers, lowers),
            BertPreTokenizer.Create(),
            new WordPiece(vocabulary, IdOf("unk_token"), WordPieceReader.Prefix, WordPieceReader.MaxWordLength),
            vocabulary,
            new TemplateProcessing([IdOf("cls_token"), null, IdOf("sep_token")]),
            new WordPieceDecoder(WordPieceReader.Prefix, cleansUp: true))
        {
            Source = $"{file.Name} (WordPiece)",
        };

        int IdOf(string purpose) => named.TryGetValue(purpose, out var token) && vocabulary.TryGetId(token, out var id)
            ? id
            : throw new TokenizerFormatException($"{file.Path}: has no line for the {purpose} '{token}'; every text needs it");
    }

    private static Vocabulary ReadVocabulary(string path)
    {
        var bytes = RegularFile.ReadBytes(path, FileKind.Tokenizer);
        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new TokenizerFormatException($"{path}: is not UTF-8", e);
        }
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        var id = 0;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            if (id > Vocabulary.MaxId)
            {
                throw new TokenizerFormatException($"{path}: has more than {Vocabulary.MaxId + 1} lines");
            }
            var line = text.AsSpan(range).TrimEnd('\r');
            // The last line ends the file.
            if (!line.IsEmpty || range.End.GetOffset(text.Length) < text.Length)
            {
                ids[line.ToString()] = id++;
            }
        }
        return new Vocabulary(ids);
    }
}
