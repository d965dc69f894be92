namespace Cluster.Worker.Serving.Parsing;

/// <summary>Finds in the text of one output, as it comes, what its parts are. What it finds depends on the text alone, however the text is
/// cut: it never decides by what has not come yet. Several stand behind one another, each with the part that the one before left to
/// it.</summary>
internal interface IOutputParser
{
    void Add(ReadOnlySpan<char> text, OutputPieces pieces);

    /// <summary>No more text will come: nothing is held back any longer.</summary>
    void End(OutputPieces pieces);
}
