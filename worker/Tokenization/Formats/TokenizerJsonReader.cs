using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization.Formats;

/// <summary>Reads tokenizer.json; each kind of part has its own reader.</summary>
internal static class TokenizerJsonReader
{
    public static TokenizerParts Read(TokenizerFile file)
    {
        using var document = JsonFile.Open(file.Path);
        JsonPart root = new(file.Path, "", document.RootElement);
        var model = ModelReader.Read(root.Required("model"), out var vocabulary);
        var addedTokens = AddedTokenFiles.Join(ReadAddedTokens(root), TokenizerSettings.Read(file.Folder).AddedTokens);
        var stated = root.Optional("post_processor") is { } postProcessor ? PostProcessorReader.Read(postProcessor) : null;
        return new TokenizerParts(
            addedTokens,
            root.Optional("normalizer") is { } normalizer ? NormalizerReader.Read(normalizer) : null,
            root.Optional("pre_tokenizer") is { } preTokenizer ? PreTokenizerReader.Read(preTokenizer) : null,
            model,
            vocabulary,
            EdgeTokens.Read(file.Folder, AddedTokenFiles.IdOf(addedTokens, vocabulary)) ?? stated,
            root.Optional("decoder") is { } decoder ? DecoderReader.Read(decoder) : null)
        {
            Source = $"{file.Name} ({model.GetType().Name})",
        };
    }

    private static IEnumerable<AddedToken> ReadAddedTokens(JsonPart root) =>
        root.Optional("added_tokens")?.Items().Select(item => AddedToken.Read(item, item.RequiredInt("id"))) ?? [];
}
