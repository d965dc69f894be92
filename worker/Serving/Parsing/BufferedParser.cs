namespace Cluster.Worker.Serving.Parsing;

/// <summary>A parser that takes its text step by step, as far as it has come.</summary>
internal abstract class BufferedParser : IOutputParser
{
    protected TextBuffer Buffer { get; } = new();

    public void Add(ReadOnlySpan<char> text, OutputPieces pieces)
    {
        Buffer.Append(text);
        while (Step(pieces, ended: false))
        {
        }
    }

    public virtual void End(OutputPieces pieces)
    {
        while (Buffer.Length > 0 && Step(pieces, ended: true))
        {
        }

        Finish(pieces);
    }

    /// <summary>Takes what is decided from the buffer.</summary>
    /// <param name="ended">Nothing more will come: all is decided.</param>
    /// <returns>False when it needs more text to go on.</returns>
    protected abstract bool Step(OutputPieces pieces, bool ended);

    /// <summary>The buffer is empty, or holds what nobody wants.</summary>
    protected virtual void Finish(OutputPieces pieces)
    {
    }

    /// <summary>Takes the text up to the first of the markers, and the marker.</summary>
    /// <param name="text">Gets the text; null to drop it.</param>
    /// <returns>The marker; null when it has not come.</returns>
    protected string? TakeUpTo(IReadOnlyList<string> markers, bool ended, Action<string>? text)
    {
        var marker = TextBuffer.First(Buffer.Rest, markers, ended, out var at);
        var before = Buffer.Take(at);
        if (before.Length > 0)
        {
            text?.Invoke(before);
        }

        Buffer.Skip(marker?.Length ?? 0);
        return marker;
    }

    /// <summary>Whether a marker is a token for the parser alone, which no reader wants to see.</summary>
    protected static bool IsControl(string marker) => marker.Length > 0 && marker[0] == '[' || marker.Length > 1 && marker[1] is '|' or '｜';
}
