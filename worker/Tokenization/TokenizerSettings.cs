using System.Globalization;
using System.Text.Json;

namespace Cluster.Worker.Tokenization;

/// <summary>What tokenizer_config.json says of a tokenizer whose own file leaves it out. Null and empty where it says nothing,
/// too.</summary>
/// <param name="Path">Of tokenizer_config.json, for messages; it need not be there.</param>
/// <param name="Class">transformers' class, without the Fast at its end.</param>
/// <param name="AddedTokens"><c>added_tokens_decoder</c>.</param>
/// <param name="SpecialTokens"><c>additional_special_tokens</c>.</param>
/// <param name="Legacy">Whether Llama's tokenizer puts a space after every special token, or at the text's start alone.</param>
/// <param name="StripAccents">BERT's; null for as <paramref name="LowerCase"/> is.</param>
internal sealed record TokenizerSettings(
    string Path, string? Class, IReadOnlyList<AddedToken> AddedTokens, IReadOnlyList<string> SpecialTokens,
    bool? Legacy, bool? AddPrefixSpace, bool? LowerCase, bool? StripAccents, bool? TokenizeChinese)
{
    private const string FastEnding = "Fast";

    /// <exception cref="TokenizerFormatException">A file is malformed.</exception>
    public static TokenizerSettings Read(string folder)
    {
        var path = System.IO.Path.Combine(folder, TokenizerReader.ConfigFileName);
        TokenizerSettings none = new(path, null, [], [], null, null, null, null, null);
        if (!RegularFile.IsThere(path))
        {
            return none;
        }
        using var document = JsonFile.Open(path);
        JsonPart config = new(path, "", document.RootElement);
        var name = config.OptionalString("tokenizer_class");
        return none with
        {
            Class = name?.EndsWith(FastEnding, StringComparison.Ordinal) == true ? name[..^FastEnding.Length] : name,
            AddedTokens = [.. ReadDecoderTable(config)],
            SpecialTokens = [.. ReadSpecialTokens(config)],
            Legacy = OptionalBool(config, "legacy"),
            AddPrefixSpace = OptionalBool(config, "add_prefix_space"),
            LowerCase = OptionalBool(config, "do_lower_case"),
            StripAccents = OptionalBool(config, "strip_accents"),
            TokenizeChinese = OptionalBool(config, "tokenize_chinese_chars"),
        };
    }

    /// <summary><c>model_type</c> of config.json, for checkpoints without a tokenizer_config.json.</summary>
    public static string? ModelTypeOf(string folder)
    {
        var path = System.IO.Path.Combine(folder, "config.json");
        if (!RegularFile.IsThere(path))
        {
            return null;
        }
        using var document = JsonFile.Open(path);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? new JsonPart(path, "", document.RootElement).OptionalString("model_type")
            : null;
    }

    private static bool? OptionalBool(JsonPart config, string name) => config.IsNull(name) ? null : config.Bool(name, false);

    // Names, or tokens with their flags.
    private static IEnumerable<string> ReadSpecialTokens(JsonPart config) =>
        config.Optional("additional_special_tokens") is { Value.ValueKind: JsonValueKind.Array } list
            ? list.Items().Select(
                item => item.Value.ValueKind == JsonValueKind.String ? item.Text() : item.RequiredString("content"))
            : [];

    private static IEnumerable<AddedToken> ReadDecoderTable(JsonPart config)
    {
        if (config.Optional("added_tokens_decoder") is not { } table)
        {
            yield break;
        }
        if (table.Value.ValueKind != JsonValueKind.Object)
        {
            throw table.Error($"is {table.Value.ValueKind}, expected an object of id → token");
        }
        foreach (var entry in table.Value.EnumerateObject())
        {
            var name = table.NameOf(entry);
            yield return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                ? AddedToken.Read(new JsonPart(table.File, $"{table.Path}.{name}", entry.Value), id)
                : throw table.Error($"'{name}' is not a token id");
        }
    }
}
