namespace Cluster.Worker.Serving.Parsing;

/// <summary>Writes a call's arguments as JSON where a format names them one by one.</summary>
internal sealed class ArgumentWriter(OutputPieces pieces)
{
    private bool _any;

    /// <param name="json">Of the value.</param>
    public void Add(string name, string json)
    {
        pieces.Arguments($"{(_any ? ", " : "{")}{JsonLiteral.Quote(name)}: {json}");
        _any = true;
    }

    public void Close() => pieces.Arguments(_any ? "}" : "{}");
}
