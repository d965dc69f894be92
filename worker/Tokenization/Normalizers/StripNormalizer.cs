namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Strip</c>: takes whitespace off the ends of the text.</summary>
internal sealed class StripNormalizer(bool left, bool right) : INormalizer
{
    public string Normalize(string text)
    {
        text = left ? text.TrimStart() : text;
        return right ? text.TrimEnd() : text;
    }
}
