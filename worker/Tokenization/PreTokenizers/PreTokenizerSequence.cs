namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary><c>Sequence</c>: each pre-tokenizer splits what the one before left.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<IPreTokenizer> preTokenizers) : IPreTokenizer
{
    public List<Piece> Split(List<Piece> pieces)
    {
        foreach (var preTokenizer in preTokenizers)
        {
            pieces = preTokenizer.Split(pieces);
        }
        return pieces;
    }
}
