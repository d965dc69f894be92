namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Lowercase</c>, character by character, so that a final sigma is like any other.</summary>
internal sealed class Lowercase : INormalizer
{
    // The one character whose lower case is two.
    private const string CapitalIWithDot = "\u0130", SmallIWithDot = "i\u0307";

    public string Normalize(string text) => text.Replace(CapitalIWithDot, SmallIWithDot, StringComparison.Ordinal).ToLowerInvariant();
}
