namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary>Maps <c>post_processor.type</c> of tokenizer.json to the class of that name.</summary>
internal static class PostProcessorReader
{
    private const string Supported = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing";

    public static IPostProcessor Read(JsonPart part) => part.Type switch
    {
        "BertProcessing" or "RobertaProcessing" => new TemplateProcessing([ReadId(part.Required("cls")), null, ReadId(part.Required("sep"))]),
        "ByteLevel" => new ByteLevel(),
        "Sequence" => new Sequence([.. part.Required("processors").Items().Select(Read)]),
        "TemplateProcessing" => ReadTemplate(part),
        _ => throw part.UnknownType(Supported),
    };

    private static TemplateProcessing ReadTemplate(JsonPart part)
    {
        List<int?> template = [];
        foreach (JsonPart item in part.Required("single").Items())
        {
            if (item.Optional("Sequence") is not null)
            {
                template.Add(null);
                continue;
            }
            string name = item.Required("SpecialToken").RequiredString("id");
            JsonPart token = part.Required("special_tokens").Optional(name)
                ?? throw item.Error($"special token '{name}' is not in 'special_tokens'");
            template.AddRange(token.Required("ids").Items().Select(id => (int?)id.Int()));
        }
        return new TemplateProcessing(template);
    }

    // Written as ["<s>", 0].
    private static int ReadId(JsonPart pair)
    {
        List<JsonPart> items = [.. pair.Items()];
        return items.Count == 2 ? items[1].Int() : throw pair.Error($"has {items.Count} items, expected [token, id]");
    }
}
