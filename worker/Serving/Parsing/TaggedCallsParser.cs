namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls whose parameters stand in tags of their own, as texts. A parameter leaves when it is whole, since its type decides how it
/// is written. A call that is cut off is closed with the parameters that have come.</summary>
/// <param name="schemas">Say the types.</param>
/// <param name="guesses">Whether parameters without a type may be literals.</param>
internal abstract class TaggedCallsParser(ToolSchemas schemas, bool guesses) : BufferedParser
{
    protected const string Open = "<tool_call>";
    protected const string Close = "</tool_call>";

    /// <summary>Longest name; a text that has none by then is no call.</summary>
    private const int MaxName = 256;

    private ArgumentWriter? _arguments;
    private string _function = "";

    /// <summary>What was taken of a text that may become a call.</summary>
    protected string Lead { get; set; } = "";

    protected override void Finish(OutputPieces pieces)
    {
        pieces.Content(Lead);
        pieces.Content(Buffer.Take(Buffer.Length));
        EndCall();
    }

    /// <summary>Takes a name and leaves the mark behind it.</summary>
    /// <returns>Null when it has not come as a whole; empty when there is none.</returns>
    protected string? TakeName(bool ended, params IReadOnlyList<string> ends)
    {
        var head = Buffer.Rest[..Math.Min(Buffer.Length, MaxName)];
        var end = TextBuffer.First(head, ends, ended: ended || head.Length == MaxName, out var at);
        if (end is null && !ended && head.Length < MaxName)
        {
            return null;
        }

        var name = head[..at].Trim();
        if (end is null || name.Length == 0 || name.IndexOfAnyExcept(NameCharacters) >= 0)
        {
            return "";
        }

        var taken = name.ToString();
        Buffer.Skip(at);
        return taken;
    }

    protected void BeginCall(string function, OutputPieces pieces)
    {
        Lead = "";
        _function = function;
        pieces.BeginCall(function);
        _arguments = new ArgumentWriter(pieces);
    }

    protected void Argument(string name, string text) => _arguments!.Add(name, schemas.ToJson(_function, name, text, guesses));

    protected void EndCall()
    {
        _arguments?.Close();
        _arguments = null;
    }

    private static readonly System.Buffers.SearchValues<char> NameCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/");
}
