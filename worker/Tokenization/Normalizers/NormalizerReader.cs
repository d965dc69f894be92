using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>Maps <c>normalizer.type</c> of tokenizer.json to the class of that name.</summary>
internal static class NormalizerReader
{
    private const string Supported = "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence";

    public static INormalizer Read(JsonPart part) => part.Type switch
    {
        "NFC" => new UnicodeForm(NormalizationForm.FormC),
        "NFD" => new UnicodeForm(NormalizationForm.FormD),
        "NFKC" => new UnicodeForm(NormalizationForm.FormKC),
        "NFKD" => new UnicodeForm(NormalizationForm.FormKD),
        "Prepend" => new Prepend(part.RequiredString("prepend")),
        "Replace" => new Replace(SplitPatternReader.Read(part.Required("pattern")), part.RequiredString("content")),
        "Sequence" => new Sequence([.. part.Required("normalizers").Items().Select(Read)]),
        _ => throw part.UnknownType(Supported),
    };
}
