using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PostProcessors;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads a tiktoken file: a token in Base64 and its rank, which is its id, on each line. <see cref="TiktokenFamily"/> knows the
/// rest.</summary>
internal static class TiktokenReader
{
    public static TokenizerParts Read(TokenizerFile file)
    {
        var settings = TokenizerSettings.Read(file.Folder);
        var family = TiktokenFamily.Find(file, settings);
        var tokens = ReadTokens(file.Path);
        var model = tokens.Build(out var vocabulary);
        var special = tokens.NextId <= Vocabulary.MaxId / 2 ? family.SpecialTokens(tokens.NextId) : [];
        var named = settings.AddedTokens.Select(token => token.Id).ToHashSet();
        var added = AddedTokenFiles.Read(
            file.Folder, settings, special.Where(token => token.Id >= tokens.NextId && !named.Contains(token.Id)), vocabulary);
        var idOf = AddedTokenFiles.IdOf(added, vocabulary);
        return new TokenizerParts(
            added, family.IsComposed ? new UnicodeForm(NormalizationForm.FormC) : null,
            RankedBytes.SplitBy(KnownRegexes.Find(family.Pattern) ?? new RegexPattern(family.Pattern)), model, vocabulary,
            EdgeTokens.Read(file.Folder, idOf) ?? Begin(file, family, idOf), new ByteLevelDecoder())
        {
            Source = $"{file.Name} (tiktoken, {family.Name})",
        };
    }

    private static TemplateProcessing? Begin(TokenizerFile file, TiktokenFamily family, Func<string, int?> idOf) => family.Begin.Count == 0
        ? null
        : new TemplateProcessing(
            [
                .. family.Begin.Select(token => idOf(token) ?? throw new TokenizerFormatException(
                    $"{file.Path}: texts of {family.Name} begin with '{token}', which 'added_tokens_decoder' of "
                    + $"{TokenizerReader.ConfigFileName} must list with its id")).Cast<int?>(),
                null,
            ]);

    private static RankedBytes ReadTokens(string path)
    {
        var rest = RegularFile.ReadBytes(path, FileKind.Tokenizer).AsSpan();
        RankedBytes tokens = new(path);
        var buffer = new byte[256];
        for (var line = 1; !rest.IsEmpty; line++)
        {
            var end = rest.IndexOf((byte)'\n');
            var text = (end < 0 ? rest : rest[..end]).TrimEnd((byte)'\r');
            rest = end < 0 ? [] : rest[(end + 1)..];
            if (text.IsEmpty)
            {
                continue;
            }
            var space = text.IndexOf((byte)' ');
            if (space < 0)
            {
                throw At("is not a token in Base64 and its rank");
            }
            if (buffer.Length < space)
            {
                buffer = new byte[space];
            }
            if (Base64.DecodeFromUtf8(text[..space], buffer, out _, out var length) != OperationStatus.Done)
            {
                throw At("has a token that is not valid Base64");
            }
            var rank = text[(space + 1)..];
            if (!Utf8Parser.TryParse(rank, out int id, out var read) || read != rank.Length)
            {
                throw At("has a rank that is not an integer");
            }
            if (tokens.Add(buffer.AsSpan(0, length), id) is { } problem)
            {
                throw At(problem);
            }

            TokenizerFormatException At(string problem) => new($"{path}: line {line} {problem}");
        }
        return tokens;
    }
}
