namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>Sequence</c>: one decoder after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<IDecoder> decoders) : IDecoder
{
    public IReadOnlyList<IDecoder> Decoders => decoders;

    public void Decode(List<string> tokens)
    {
        foreach (var decoder in decoders)
        {
            decoder.Decode(tokens);
        }
    }
}
