using System.Text;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads vocab.json with merges.txt: byte-level BPE in GPT-2's form. How texts are split is known by the class that
/// tokenizer_config.json names.</summary>
internal static class MergesReader
{
    private const string Qwen = "Qwen2Tokenizer";

    private static readonly string[] Gpt2 =
        ["GPT2Tokenizer", "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "CodeGenTokenizer", "GPTNeoXTokenizer"];

    public static IEnumerable<(string Name, string Token)> NamedTokens { get; } =
        [("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];

    public static TokenizerParts Read(TokenizerFile file)
    {
        var settings = TokenizerSettings.Read(file.Folder);
        var isQwen = IsQwen(file, settings);
        using var document = JsonFile.Open(file.Path);
        var vocabulary = Vocabulary.Read(new JsonPart(file.Path, "", document.RootElement));
        var model = new Bpe(
            vocabulary, ReadMerges(Path.Combine(file.Folder, TokenizerFile.MergesName), vocabulary),
            new UnknownCharacters(null, null, fuse: false), ignoreMerges: false, SubwordAffixes.None);
        var added = AddedTokenFiles.Read(file.Folder, settings, [], vocabulary);
        var idOf = AddedTokenFiles.IdOf(added, vocabulary);
        return new TokenizerParts(
            added, isQwen ? new UnicodeForm(NormalizationForm.FormC) : null,
            isQwen
                ? RankedBytes.SplitBy(KnownRegexes.Find(KnownRegexes.Qwen)!)
                : new ByteLevelPreTokenizer(settings.AddPrefixSpace ?? false, useRegex: true),
            model, vocabulary, EdgeTokens.Read(file.Folder, idOf) ?? Edges(file.Folder, settings, idOf), new ByteLevelDecoder())
        {
            Source = $"{file.Name} and {TokenizerFile.MergesName} ({(isQwen ? "Qwen 2" : "GPT-2")} BPE)",
        };
    }

    private static bool IsQwen(TokenizerFile file, TokenizerSettings settings) => settings.Class switch
    {
        Qwen => true,
        null => TokenizerSettings.ModelTypeOf(file.Folder)?.StartsWith("qwen", StringComparison.Ordinal) == true,
        var name => Gpt2.Contains(name)
            ? false
            : throw new TokenizerFormatException(
                $"{settings.Path}: 'tokenizer_class' is '{name}'; of {file.Name} with {TokenizerFile.MergesName} are supported: {Qwen}, "
                + $"{string.Join(", ", Gpt2)}; convert the tokenizer to {TokenizerReader.FileName}"),
    };

    private static Merges ReadMerges(string path, Vocabulary vocabulary)
    {
        var lines = RegularFile.ReadText(path, FileKind.Tokenizer).Split('\n');
        MergeRules rules = new(vocabulary, "", lines.Length);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd('\r');
            if (line.Length == 0 || line.StartsWith("#version", StringComparison.Ordinal))
            {
                continue;
            }
            var space = line.IndexOf(' ');
            var problem = space > 0 && space == line.LastIndexOf(' ') && space + 1 < line.Length
                ? rules.Add(line[..space], line[(space + 1)..])
                : $"is '{line}', expected two tokens with a space between them";
            if (problem is not null)
            {
                throw new TokenizerFormatException($"{path}: line {i + 1}: {problem}");
            }
        }
        return rules.Merges;
    }

    // RoBERTa and its kin stand between their tokens, whatever tokenizer_config.json says.
    private static TemplateProcessing? Edges(string folder, TokenizerSettings settings, Func<string, int?> idOf)
    {
        if (settings.Class is not ("RobertaTokenizer" or "BartTokenizer" or "LongformerTokenizer"))
        {
            return null;
        }
        var named = SpecialTokenNames.Read(folder);
        return idOf(named.GetValueOrDefault("cls_token", "<s>")) is { } first
            && idOf(named.GetValueOrDefault("sep_token", "</s>")) is { } last
            ? new TemplateProcessing([first, null, last])
            : null;
    }
}
