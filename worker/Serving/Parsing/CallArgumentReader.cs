namespace Cluster.Worker.Serving.Parsing;

/// <summary>Reads the arguments of a call whose name is known: a JSON object, which leaves as it comes. What is no JSON is passed on as the
/// model wrote it, up to the end of the call.</summary>
/// <param name="terminator">What ends the call, wherever it stands: a special token, which no text holds. Null when the object itself
/// does.</param>
internal sealed class CallArgumentReader(string? terminator)
{
    private JsonScanner _scanner;
    private bool _started;

    /// <summary>Reads on. The terminator stays in the buffer.</summary>
    /// <returns>True when the arguments have ended.</returns>
    public bool Read(TextBuffer buffer, OutputPieces pieces, bool ended)
    {
        var end = terminator is null ? -1 : buffer.Find(terminator);
        var limit = end >= 0 ? end
            : terminator is null || ended ? buffer.Length : buffer.Length - TextBuffer.Undecided(buffer.Rest, terminator);
        var isLast = end >= 0 || ended;
        if (!_started)
        {
            var blanks = TextBuffer.Blanks(buffer.Rest[..limit]);
            buffer.Skip(blanks);
            limit -= blanks;
            if (limit == 0)
            {
                if (isLast)
                {
                    pieces.Arguments("{}");
                }

                return isLast;
            }

            _started = true;
            if (buffer.Rest[0] is not ('{' or '['))
            {
                _scanner.Take("!");
            }
        }

        if (!_scanner.IsBroken)
        {
            var taken = _scanner.Take(buffer.Rest[..limit]);
            pieces.Arguments(buffer.Rest[..taken]);
            buffer.Skip(taken);
            limit -= taken;
            if (!_scanner.IsBroken)
            {
                return _scanner.IsComplete || isLast;
            }
        }

        if (!isLast && terminator is not null)
        {
            return false;
        }

        if (terminator is not null)
        {
            pieces.Arguments(buffer.Rest[..limit].TrimEnd());
            buffer.Skip(limit);
        }

        return true;
    }
}
