using System.Globalization;
using System.Text.Json;
using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization;

/// <summary>Reads a checkpoint's tokenizer files. Called by <see cref="Tokenizer.Load"/>; each kind of part has its own reader.</summary>
internal static class TokenizerReader
{
    public const string FileName = "tokenizer.json";
    public const string ConfigFileName = "tokenizer_config.json";

    public static TokenizerParts Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!RegularFile.IsThere(path))
        {
            throw new FileNotFoundException(
                $"{folder} has no {FileName}; a tokenizer in another format must be converted to it first", path);
        }
        using var document = JsonFile.Open(path);
        JsonPart root = new(path, "", document.RootElement);
        var model = ModelReader.Read(root.Required("model"), out var vocabulary);
        var addedTokens = ReadAddedTokens(root, folder);
        var stated = root.Optional("post_processor") is { } postProcessor ? PostProcessorReader.Read(postProcessor) : null;
        return new TokenizerParts(
            addedTokens,
            root.Optional("normalizer") is { } normalizer ? NormalizerReader.Read(normalizer) : null,
            root.Optional("pre_tokenizer") is { } preTokenizer ? PreTokenizerReader.Read(preTokenizer) : null,
            model,
            vocabulary,
            EdgeTokens.Read(folder, IdOf) ?? stated,
            root.Optional("decoder") is { } decoder ? DecoderReader.Read(decoder) : null);

        int? IdOf(string token) => addedTokens.Find(added => added.Content == token)?.Id
            ?? (vocabulary.TryGetId(token, out var id) ? id : null);
    }

    // Fine-tuned checkpoints list tokens in tokenizer_config.json that tokenizer.json lacks, or only there mark one as special.
    private static List<AddedToken> ReadAddedTokens(JsonPart root, string folder)
    {
        Dictionary<string, AddedToken> tokens = new(StringComparer.Ordinal);
        if (root.Optional("added_tokens") is { } added)
        {
            foreach (var item in added.Items())
            {
                var token = AddedToken.Read(item, item.RequiredInt("id"));
                tokens[token.Content] = token;
            }
        }
        var configPath = Path.Combine(folder, ConfigFileName);
        if (RegularFile.IsThere(configPath))
        {
            using var config = JsonFile.Open(configPath);
            foreach (var token in ReadDecoderTable(new JsonPart(configPath, "", config.RootElement)))
            {
                tokens[token.Content] = tokens.TryGetValue(token.Content, out var known)
                    ? known with { Special = known.Special || token.Special }
                    : token;
            }
        }
        return [.. tokens.Values];
    }

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
