using System.Text;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>Maps <c>normalizer.type</c> of tokenizer.json to the class of that name.</summary>
internal static class NormalizerReader
{
    private const string Supported =
        "BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents";

    public static INormalizer Read(JsonPart part) => part.Type switch
    {
        "BertNormalizer" => ReadBert(part),
        "Lowercase" => new Lowercase(),
        "NFC" => new UnicodeForm(NormalizationForm.FormC),
        "NFD" => new UnicodeForm(NormalizationForm.FormD),
        "NFKC" => new UnicodeForm(NormalizationForm.FormKC),
        "NFKD" => new UnicodeForm(NormalizationForm.FormKD),
        "Precompiled" => Precompiled.Read(part),
        "Prepend" => new Prepend(part.RequiredString("prepend")),
        "Replace" => new ReplaceNormalizer(SplitPatternReader.Read(part.Required("pattern")), part.RequiredString("content")),
        "Sequence" => new NormalizerSequence([.. part.Required("normalizers").Items().Select(Read)]),
        "Strip" => new StripNormalizer(part.Bool("strip_left", true), part.Bool("strip_right", true)),
        "StripAccents" => new StripAccents(),
        _ => throw part.UnknownType(Supported),
    };

    private static BertNormalizer ReadBert(JsonPart part)
    {
        var lowers = part.Bool("lowercase", true);
        return new BertNormalizer(
            part.Bool("clean_text", true), part.Bool("handle_chinese_chars", true), part.Bool("strip_accents", lowers), lowers);
    }
}
