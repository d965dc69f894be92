using System.Text.Json;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>Reads the <c>BPE</c> model of tokenizer.json. Merges come as <c>"a b"</c> or <c>["a", "b"]</c>.</summary>
internal static class BpeReader
{
    public static Bpe Read(JsonPart part, Vocabulary vocabulary)
    {
        if (part.Optional("dropout") is { } dropout
            && !(dropout.Value.ValueKind == JsonValueKind.Number && dropout.Value.TryGetDouble(out var rate) && rate == 0))
        {
            throw dropout.Error($"is {dropout.Value.GetRawText()}; dropout makes encoding random and is for training only");
        }
        SubwordAffixes affixes = new(
            part.OptionalString("continuing_subword_prefix") ?? "", part.OptionalString("end_of_word_suffix") ?? "");
        if (affixes.Prefix.Length > SubwordAffixes.MaxLength || affixes.Suffix.Length > SubwordAffixes.MaxLength)
        {
            throw part.Error($"'continuing_subword_prefix' or 'end_of_word_suffix' is longer than {SubwordAffixes.MaxLength} characters");
        }
        return new Bpe(
            vocabulary,
            ReadMerges(part.Required("merges"), vocabulary, affixes.Prefix),
            ReadUnknown(part, vocabulary),
            part.Bool("ignore_merges", false),
            affixes);
    }

    private static UnknownCharacters ReadUnknown(JsonPart part, Vocabulary vocabulary)
    {
        int? unknownId = null;
        if (part.OptionalString("unk_token") is { } token)
        {
            unknownId = vocabulary.TryGetId(token, out var id) ? id : throw part.Error($"unk_token '{token}' is not in the vocabulary");
        }
        return new UnknownCharacters(ByteTokens.Read(part, vocabulary), unknownId, part.Bool("fuse_unk", false));
    }

    /// <param name="prefix">What every token but a word's first begins with; the right side of a pair loses it.</param>
    public static Merges ReadMerges(JsonPart part, Vocabulary vocabulary, string prefix)
    {
        if (part.Value.ValueKind != JsonValueKind.Array)
        {
            throw part.Error($"is {part.Value.ValueKind}, expected an array");
        }
        MergeRules rules = new(vocabulary, prefix, part.Value.GetArrayLength());
        foreach (var item in part.Value.EnumerateArray())
        {
            (var left, var right) = ReadPair(item) ?? throw At($"is {item.GetRawText()}, expected \"a b\" or [\"a\", \"b\"]");
            if (rules.Add(left, right) is { } problem)
            {
                throw At(problem);
            }
        }
        return rules.Merges;

        TokenizerFormatException At(string problem) => new JsonPart(part.File, $"{part.Path}[{rules.Count}]", part.Value).Error(problem);
    }

    private static (string Left, string Right)? ReadPair(JsonElement item)
    {
        try
        {
            switch (item.ValueKind)
            {
                case JsonValueKind.String:
                    var pair = item.GetString()!;
                    var space = pair.IndexOf(' ');
                    return space > 0 && space == pair.LastIndexOf(' ') && space + 1 < pair.Length
                        ? (pair[..space], pair[(space + 1)..])
                        : null;
                case JsonValueKind.Array
                    when item.GetArrayLength() == 2
                        && item[0].ValueKind == JsonValueKind.String
                        && item[1].ValueKind == JsonValueKind.String:
                    return (item[0].GetString()!, item[1].GetString()!);
                default:
                    return null;
            }
        }
        catch (InvalidOperationException)
        {
            // A string with a lone surrogate escape.
            return null;
        }
    }
}
