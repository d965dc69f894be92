using System.Text.Json;
using Cluster.Worker.Tokenization.Models;

namespace Cluster.Worker.Tokenization;

/// <summary>Collects the added tokens of a checkpoint: those of the tokenizer's own file and those that the files beside it name. Used by
/// the readers of all forms.</summary>
internal static class AddedTokenFiles
{
    private const string FileName = "added_tokens.json";

    /// <summary>Fine-tuned checkpoints list tokens in tokenizer_config.json that the tokenizer's own file lacks, or only there mark one as
    /// special.</summary>
    public static List<AddedToken> Join(IEnumerable<AddedToken> own, IEnumerable<AddedToken> listed)
    {
        Dictionary<string, AddedToken> tokens = new(StringComparer.Ordinal);
        foreach (var token in own)
        {
            tokens[token.Content] = token;
        }
        foreach (var token in listed)
        {
            tokens[token.Content] = tokens.TryGetValue(token.Content, out var known)
                ? known with { Special = known.Special || token.Special }
                : token;
        }
        return [.. tokens.Values];
    }

    /// <summary>Everything that a tokenizer other than tokenizer.json knows its added tokens from: its own, added_tokens.json,
    /// tokenizer_config.json, and the tokens of the vocabulary that either names for a purpose (<c>eos_token</c> and its like).</summary>
    /// <exception cref="TokenizerFormatException">A file is malformed.</exception>
    public static List<AddedToken> Read(string folder, TokenizerSettings settings, IEnumerable<AddedToken> own, Vocabulary vocabulary)
    {
        var tokens = Join(own, ReadMap(folder).Concat(settings.AddedTokens));
        var known = tokens.Select((token, index) => (token.Content, index)).ToDictionary(StringComparer.Ordinal);
        foreach (var name in SpecialTokenNames.Read(folder).Values.Concat(settings.SpecialTokens))
        {
            if (known.TryGetValue(name, out var index))
            {
                tokens[index] = tokens[index] with { Special = true };
            }
            else if (vocabulary.TryGetId(name, out var id) && name.Length is > 0 and <= AddedToken.MaxLength)
            {
                known.Add(name, tokens.Count);
                tokens.Add(AddedToken.SpecialOf(id, name));
            }
        }
        return tokens;
    }

    /// <summary>Id of an added token or of one of the vocabulary.</summary>
    public static Func<string, int?> IdOf(List<AddedToken> added, Vocabulary vocabulary) => token =>
        added.Find(candidate => candidate.Content == token)?.Id ?? (vocabulary.TryGetId(token, out var id) ? id : null);

    // token → id
    private static IEnumerable<AddedToken> ReadMap(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!RegularFile.IsThere(path))
        {
            yield break;
        }
        using var document = JsonFile.Open(path);
        JsonPart root = new(path, "", document.RootElement);
        if (root.Value.ValueKind != JsonValueKind.Object)
        {
            throw root.Error($"is {root.Value.ValueKind}, expected an object of token → id");
        }
        foreach (var entry in root.Value.EnumerateObject())
        {
            yield return AddedToken.Of(root, root.NameOf(entry), new JsonPart(path, root.NameOf(entry), entry.Value).Int());
        }
    }
}
