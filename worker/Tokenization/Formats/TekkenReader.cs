using System.Globalization;
using System.Text.RegularExpressions;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PostProcessors;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads tekken.json, Mistral's tokenizer. Source: mistral-common's tekken.py.
/// <code>
/// config.default_num_special_tokens = n       ids 0 … n-1: special_tokens, and &lt;SPECIAL_i&gt; where none is listed
/// config.default_vocab_size = v               ids n … v-1: vocab of rank 0 … v-n-1; what vocab has more is left out
/// </code></summary>
internal static partial class TekkenReader
{
    private const int FirstVersion = 3;
    private const int LastVersionWithoutSpecialTokens = 7;

    /// <summary>The special tokens of the versions whose files do not list them, in the order of their ids.</summary>
    private static readonly string[] OldSpecialTokens =
    [
        "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
        "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
    ];

    public static IEnumerable<(string Name, string Token)> NamedTokens { get; } =
        [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")];

    public static TokenizerParts Read(TokenizerFile file)
    {
        using var document = JsonFile.Open(file.Path);
        JsonPart root = new(file.Path, "", document.RootElement);
        var config = root.Required("config");
        var version = ReadVersion(config);
        var numSpecial = ReadCount(config, "default_num_special_tokens", 1);
        var vocabSize = ReadCount(config, "default_vocab_size", numSpecial);
        var pattern = ReadPattern(config);
        var tokens = ReadTokens(root, numSpecial, vocabSize - numSpecial);
        var model = tokens.Build(out var vocabulary);
        var added = AddedTokenFiles.Read(
            file.Folder, TokenizerSettings.Read(file.Folder), ReadSpecialTokens(root, version, numSpecial), vocabulary);
        return new TokenizerParts(
            added, null, RankedBytes.SplitBy(pattern), model, vocabulary,
            EdgeTokens.Read(file.Folder, AddedTokenFiles.IdOf(added, vocabulary)) ?? Begin(root, added), new ByteLevelDecoder())
        {
            Source = $"{file.Name} (Tekken v{version})",
        };
    }

    private static int ReadVersion(JsonPart config)
    {
        var text = config.RequiredString("version");
        return text.StartsWith('v') && int.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            && version >= FirstVersion
                ? version
                : throw config.Error($"'version' is '{text}', expected 'v{FirstVersion}' or a later one");
    }

    private static int ReadCount(JsonPart config, string name, int min) => config.RequiredInt(name) is var count
        && count >= min && count <= Vocabulary.MaxId + 1
            ? count
            : throw config.Error($"'{name}' is {count}, expected {min} to {Vocabulary.MaxId + 1}");

    // Tiktoken's regex engine and Oniguruma read these otherwise: {1,3}+ is possessive or repeated, ^ and $ are of the text or of a line.
    private static ISplitPattern ReadPattern(JsonPart config)
    {
        var pattern = config.RequiredString("pattern");
        return DoubtfulSyntax().Match(pattern) is { Success: true } found
            ? throw config.Error($"'pattern' is '{pattern}', and '{found.Value}' in it is not supported")
            : SplitPatternReader.OfRegex(config.Required("pattern"), pattern);
    }

    private static RankedBytes ReadTokens(JsonPart root, int firstId, int count)
    {
        var list = root.Required("vocab");
        RankedBytes tokens = new(root.File);
        var buffer = new byte[256];
        foreach (var item in list.Items())
        {
            if (tokens.Count == count)
            {
                return tokens;
            }
            var rank = item.RequiredInt("rank");
            if (rank != tokens.Count)
            {
                throw item.Error($"'rank' is {rank}, expected {tokens.Count}: tokens are listed in order");
            }
            var text = item.RequiredString("token_bytes");
            if (buffer.Length < text.Length)
            {
                buffer = new byte[text.Length];
            }
            if (!Convert.TryFromBase64String(text, buffer, out var length))
            {
                throw item.Error("'token_bytes' is not valid Base64");
            }
            if (tokens.Add(buffer.AsSpan(0, length), firstId + rank) is { } problem)
            {
                throw item.Error(problem);
            }
        }
        return tokens.Count == count
            ? tokens
            : throw list.Error(
                $"has {tokens.Count} tokens, expected {count}: 'default_vocab_size' less 'default_num_special_tokens' of config");
    }

    private static IEnumerable<AddedToken> ReadSpecialTokens(JsonPart root, int version, int count)
    {
        var tokens = new AddedToken?[count];
        if (root.Optional("special_tokens") is { } list)
        {
            foreach (var item in list.Items())
            {
                var rank = item.RequiredInt("rank");
                if ((uint)rank >= (uint)count)
                {
                    throw item.Error($"'rank' is {rank}, expected 0 to {count - 1}: config.default_num_special_tokens is {count}");
                }
                tokens[rank] = tokens[rank] is { } other
                    ? throw item.Error($"'rank' is {rank}, which '{other.Content}' has, too")
                    : AddedToken.Of(item, item.RequiredString("token_str"), rank) with { Special = item.Bool("is_control", true) };
            }
        }
        else if (version > LastVersionWithoutSpecialTokens)
        {
            throw root.Error($"'special_tokens' is missing; only versions up to v{LastVersionWithoutSpecialTokens} go without");
        }
        else
        {
            for (var rank = 0; rank < Math.Min(count, OldSpecialTokens.Length); rank++)
            {
                tokens[rank] = AddedToken.SpecialOf(rank, OldSpecialTokens[rank]);
            }
        }
        return tokens.Select(
            (token, rank) => token ?? AddedToken.SpecialOf(rank, string.Create(CultureInfo.InvariantCulture, $"<SPECIAL_{rank}>")));
    }

    private static TemplateProcessing Begin(JsonPart root, List<AddedToken> added) =>
        added.Find(token => token.Content == "<s>") is { } begin
            ? new TemplateProcessing([begin.Id, null])
            : throw root.Error("'special_tokens' has no '<s>', which every text begins with");

    [GeneratedRegex(@"\{\d+(,\d*)?\}\+|(?<!\\)(\\\\)*(\$|(?<!\[)\^)")]
    private static partial Regex DoubtfulSyntax();
}
