using System.Text.Json;
using Cluster.Worker.Tokenization.Formats;
using Cluster.Worker.Tokenization.SentencePiece;

namespace Cluster.Worker.Tokenization;

/// <summary>The special tokens of a checkpoint by what they are for (<c>bos_token</c> …): of special_tokens_map.json, and of
/// tokenizer_config.json before it; what neither states, forms other than tokenizer.json know by themselves. Read for chat templates, and
/// for the end of a sequence.</summary>
internal static class SpecialTokenNames
{
    private const string MapFileName = "special_tokens_map.json";

    private static readonly string[] Names =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Name → token. Files that are not there name none.</summary>
    /// <exception cref="TokenizerFormatException">A file is malformed.</exception>
    public static Dictionary<string, string> Read(string folder)
    {
        Dictionary<string, string> tokens = new(StringComparer.Ordinal);
        HashSet<string> stated = new(StringComparer.Ordinal);
        foreach (var path in (string[])[Path.Combine(folder, MapFileName), Path.Combine(folder, TokenizerReader.ConfigFileName)])
        {
            if (RegularFile.IsThere(path))
            {
                using var document = JsonFile.Open(path);
                Read(new JsonPart(path, "", document.RootElement), tokens, stated);
            }
        }
        foreach ((var name, var token) in TokenizerFile.Find(folder) is { } file ? OwnNames(file) : [])
        {
            // A null states that there is none.
            if (!stated.Contains(name))
            {
                tokens[name] = token;
            }
        }
        return tokens;
    }

    /// <summary>The token that ends a sequence by the tokenizer's word, which vLLM stops at, too, whatever config.json says; null when it
    /// names none that it has.</summary>
    /// <exception cref="TokenizerFormatException">A file is malformed.</exception>
    public static int? EndOfSequence(string folder, ITokenizer tokenizer) =>
        Read(folder).TryGetValue("eos_token", out var token) ? tokenizer.TokenToId(token) : null;

    // A token is written as a string or as an object with its flags.
    private static void Read(JsonPart root, Dictionary<string, string> tokens, HashSet<string> stated)
    {
        foreach (var name in Names)
        {
            if (root.Has(name))
            {
                stated.Add(name);
            }
            if (root.Optional(name) is { } token)
            {
                tokens[name] = token.Value.ValueKind == JsonValueKind.String ? token.Text() : token.RequiredString("content");
            }
        }
    }

    private static IEnumerable<(string Name, string Token)> OwnNames(TokenizerFile file) => file.Kind switch
    {
        TokenizerKind.Json => [],
        TokenizerKind.Tekken => TekkenReader.NamedTokens,
        TokenizerKind.SentencePiece => SentencePieceModel.Read(file.Path).NamedTokens,
        TokenizerKind.Tiktoken => TiktokenFamily.Find(file, TokenizerSettings.Read(file.Folder)).NamedTokens,
        TokenizerKind.Merges => MergesReader.NamedTokens,
        _ => WordListReader.NamedTokens,
    };
}
