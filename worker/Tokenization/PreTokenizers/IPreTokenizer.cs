namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>Splits text into the words a model encodes one by one. Called by <see cref="Tokenizer"/> after normalization.</summary>
internal interface IPreTokenizer
{
    /// <summary>Replaces each of <paramref name="pieces"/> by the pieces it is split into, in order. Empty pieces are dropped.</summary>
    List<Piece> Split(List<Piece> pieces);
}
