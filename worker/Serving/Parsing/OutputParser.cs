namespace Cluster.Worker.Serving.Parsing;

/// <summary>Takes one output of a model apart as it comes: reasoning, content and tool calls. Made by an
/// <see cref="OutputPlan"/>.</summary>
/// <param name="parser">The first of the parsers.</param>
/// <param name="saysCalls">Whether an answer that stops with a call ends for its sake (<c>finish_reason: tool_calls</c>).</param>
internal sealed class OutputParser(IOutputParser parser, OutputPieces pieces, bool saysCalls = true)
{
    private bool _ended;

    /// <summary>Whether the finish reason of an answer that stops is <c>tool_calls</c>.</summary>
    public bool StopsForCalls => saysCalls && pieces.NumCalls > 0;

    /// <summary>Takes the next text.</summary>
    /// <param name="ended">No more text will come: nothing is held back any longer, and a call that lacks only its end counts.</param>
    public IReadOnlyList<OutputPiece> Add(string text, bool ended)
    {
        parser.Add(text, pieces);
        if (ended && !_ended)
        {
            _ended = true;
            parser.End(pieces);
        }

        return pieces.Take(ended);
    }
}
