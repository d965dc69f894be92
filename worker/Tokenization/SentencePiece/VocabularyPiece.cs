namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary><c>ModelProto.SentencePiece</c>: a token, whose place in the list is its id.</summary>
/// <param name="Score">Logarithm of its probability in Unigram; in BPE what is higher joins first.</param>
internal readonly record struct VocabularyPiece(string Text, float Score, PieceType Type);
