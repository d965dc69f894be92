namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>What becomes of the delimiters a pre-tokenizer finds. Spelled as in tokenizer.json.</summary>
internal enum SplitBehavior
{
    /// <summary>Dropped.</summary>
    Removed,

    /// <summary>Each a piece of its own.</summary>
    Isolated,

    /// <summary>The end of the piece before.</summary>
    MergedWithPrevious,

    /// <summary>The start of the piece after.</summary>
    MergedWithNext,

    /// <summary>Adjacent ones form one piece.</summary>
    Contiguous,
}
