namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Prepend</c>: a fixed prefix, unless the text is empty.</summary>
internal sealed class Prepend(string prefix) : INormalizer
{
    public string Normalize(string text) => text.Length == 0 ? text : prefix + text;
}
