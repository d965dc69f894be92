using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>Replace</c>: in every token, each match of a pattern becomes a fixed text.</summary>
internal sealed class ReplaceDecoder(ISplitPattern pattern, string content) : IDecoder
{
    private readonly Normalizers.ReplaceNormalizer _replace = new(pattern, content);

    public void Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            tokens[i] = _replace.Normalize(tokens[i]);
        }
    }
}
