using Cluster.Worker.Tokenization.Models;

namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary>Maps <c>post_processor.type</c> of tokenizer.json to the class of that name.</summary>
internal static class PostProcessorReader
{
    private const string Supported = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing";

    public static IPostProcessor Read(JsonPart part) => part.Type switch
    {
        "BertProcessing" or "RobertaProcessing" =>
            new TemplateProcessing([ReadPair(part.Required("cls")), null, ReadPair(part.Required("sep"))]),
        "ByteLevel" => new ByteLevelPostProcessor(),
        "Sequence" => new PostProcessorSequence([.. part.Required("processors").Items().Select(Read)]),
        "TemplateProcessing" => ReadTemplate(part),
        _ => throw part.UnknownType(Supported),
    };

    private static TemplateProcessing ReadTemplate(JsonPart part)
    {
        List<int?> template = [];
        foreach (var item in part.Required("single").Items())
        {
            if (item.Optional("Sequence") is not null)
            {
                template.Add(null);
                continue;
            }
            var name = item.Required("SpecialToken").RequiredString("id");
            var token = part.Required("special_tokens").Optional(name)
                ?? throw item.Error($"special token '{name}' is not in 'special_tokens'");
            template.AddRange(token.Required("ids").Items().Select(id => (int?)ReadId(id)));
        }
        return new TemplateProcessing(template);
    }

    // Written as ["<s>", 0].
    private static int ReadPair(JsonPart pair)
    {
        List<JsonPart> items = [.. pair.Items()];
        return items.Count == 2 ? ReadId(items[1]) : throw pair.Error($"has {items.Count} items, expected [token, id]");
    }

    private static int ReadId(JsonPart part) => part.Int() is var id and >= 0 and <= Vocabulary.MaxId
        ? id
        : throw part.Error($"is {part.Value.GetRawText()}, expected a token id of 0 to {Vocabulary.MaxId}");
}
