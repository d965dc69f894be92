namespace Cluster.Worker.Serving.Parsing;

/// <summary>What a piece of a message is.</summary>
internal enum PieceKind
{
    Content,
    Reasoning,

    /// <summary>The text is the function's name.</summary>
    CallStart,

    /// <summary>The text is the next part of the arguments, which are JSON.</summary>
    CallArguments,
}

/// <summary>A new part of the message that a model writes. The texts of one kind, and of one call, add up.</summary>
/// <param name="Call">Position among the message's calls.</param>
/// <param name="Id">Of a call, at its start.</param>
internal readonly record struct OutputPiece(PieceKind Kind, string Text, int Call = 0, string? Id = null);
