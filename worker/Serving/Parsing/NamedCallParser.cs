namespace Cluster.Worker.Serving.Parsing;

/// <summary>All of the output is the arguments of the function that <c>tool_choice</c> names; cut short, they are cut short in the call,
/// too.</summary>
internal sealed class NamedCallParser(string name) : IOutputParser
{
    private bool _begun;

    public void Add(ReadOnlySpan<char> text, OutputPieces pieces)
    {
        text = _begun ? text : text.TrimStart();
        if (text.Length > 0)
        {
            Begin(pieces);
            pieces.Arguments(text);
        }
    }

    public void End(OutputPieces pieces) => Begin(pieces);

    private void Begin(OutputPieces pieces)
    {
        if (!_begun)
        {
            _begun = true;
            pieces.BeginCall(name);
        }
    }
}
