using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>NFC</c>, <c>NFD</c>, <c>NFKC</c> and <c>NFKD</c> (Unicode Standard Annex 15).</summary>
internal sealed class UnicodeForm(NormalizationForm form) : INormalizer
{
    public string Normalize(string text) => text.Normalize(form);
}
