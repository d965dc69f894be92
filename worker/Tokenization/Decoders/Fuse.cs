namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>Fuse</c>: all tokens become one, so that the decoders after it see the whole text.</summary>
internal sealed class Fuse : IDecoder
{
    public void Decode(List<string> tokens)
    {
        var text = string.Concat(tokens);
        tokens.Clear();
        tokens.Add(text);
    }
}
