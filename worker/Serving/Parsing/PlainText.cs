namespace Cluster.Worker.Serving.Parsing;

/// <summary>All text is content.</summary>
internal sealed class PlainText : IOutputParser
{
    public void Add(ReadOnlySpan<char> text, OutputPieces pieces) => pieces.Content(text);

    public void End(OutputPieces pieces)
    {
    }
}
