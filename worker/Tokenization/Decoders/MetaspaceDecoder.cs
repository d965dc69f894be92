namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>Metaspace</c>: the visible space becomes a space again; in the first token it is dropped where encoding put it
/// there.</summary>
/// <param name="prepended">Whether encoding puts a space before the text.</param>
internal sealed class MetaspaceDecoder(char replacement, bool prepended) : IDecoder
{
    public void Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            tokens[i] = i == 0 && prepended
                ? tokens[i].Replace(replacement.ToString(), "", StringComparison.Ordinal)
                : tokens[i].Replace(replacement, ' ');
        }
    }
}
