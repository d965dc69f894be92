namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary><c>ModelProto.SentencePiece.Type</c>, with its numbers.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,

    /// <summary>Never found in a text: <c>&lt;s&gt;</c> and its like.</summary>
    Control = 3,

    /// <summary>Found wherever a text has it, before anything else.</summary>
    UserDefined = 4,

    /// <summary>Has an id, but no text becomes it.</summary>
    Unused = 5,

    /// <summary>A byte of a character without a piece.</summary>
    Byte = 6,
}
