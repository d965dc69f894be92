namespace Cluster.Worker.Serving.Parsing;

/// <summary>Where calls stand without a marker before them.</summary>
internal enum BareCalls
{
    None,

    /// <summary>A list of them that the output begins with.</summary>
    ListAtStart,

    /// <summary>There, and alone anywhere in the text.</summary>
    Anywhere,
}

/// <summary>Calls that are JSON objects behind a marker, alone, in a row or in a list: <c>&lt;tool_call&gt;{"name": …, "arguments":
/// {…}}&lt;/tool_call&gt;</c>. Text that only might become a call is held back, and what is no call after all is content.</summary>
/// <param name="opens">Markers before calls.</param>
/// <param name="close">The marker behind them, which may be missing; null when there is none.</param>
internal class JsonCallsParser(IReadOnlyList<string> opens, string? close, BareCalls bare = BareCalls.None) : BufferedParser
{
    private enum Place
    {
        Start,
        Text,

        /// <summary>Behind a marker.</summary>
        Lead,
        Item,
        Call,

        /// <summary>Behind a call.</summary>
        Next,
        Broken,
        Close,
        Other,
    }

    private JsonCallReader _call = new(isBare: false);
    private Place _place;
    private string _marker = "";
    private string _lead = "";
    private bool _isBare = true;
    private bool _isList;

    protected override bool Step(OutputPieces pieces, bool ended) => _place switch
    {
        Place.Start => Start(),
        Place.Text => Text(pieces, ended),
        Place.Lead => Lead(),
        Place.Item => Item(pieces),
        Place.Call => Call(pieces, ended),
        Place.Next => Next(ended),
        Place.Broken => Broken(pieces, ended),
        Place.Close => Close(ended),
        _ => Other(pieces, ended),
    };

    protected override void Finish(OutputPieces pieces)
    {
        var blanks = Buffer.Take(Buffer.Length);
        if (_place != Place.Call || !_call.HasBegun)
        {
            Fail(pieces);
        }

        pieces.Content(blanks);
    }

    /// <summary>Reads a call behind a marker that begins neither an object nor a list.</summary>
    /// <returns>Null when it needs more; false when it is no call, and all of it is still in the buffer.</returns>
    protected virtual bool? ReadOther(OutputPieces pieces, bool ended) => false;

    private bool Start()
    {
        var blanks = TextBuffer.Blanks(Buffer.Rest);
        if (blanks == Buffer.Length)
        {
            return false;
        }

        return Go(bare != BareCalls.None && Buffer.Rest[blanks] == '[' ? Place.Lead : Place.Text);
    }

    private bool Text(OutputPieces pieces, bool ended)
    {
        if (Buffer.Length == 0)
        {
            return false;
        }

        var brace = bare == BareCalls.Anywhere ? Buffer.Rest.IndexOf('{') : -1;
        var marker = TextBuffer.First(Buffer.Rest, opens, ended, out var at);
        if (brace >= 0 && brace < at)
        {
            pieces.Content(Buffer.Take(brace));
            (_isBare, _isList) = (true, false);
            return Go(Place.Item);
        }

        pieces.Content(Buffer.Take(at));
        Buffer.Skip(marker?.Length ?? 0);
        (_marker, _isBare) = (marker ?? "", false);
        return marker is not null && Go(Place.Lead);
    }

    private bool Lead()
    {
        var blanks = TextBuffer.Blanks(Buffer.Rest);
        if (blanks == Buffer.Length)
        {
            return false;
        }

        _isList = Buffer.Rest[blanks] == '[';
        _lead = _isList ? Buffer.Take(blanks + 1) : "";
        return Go(_isList || Buffer.Rest[blanks] == '{' ? Place.Item : Place.Other);
    }

    private bool Item(OutputPieces pieces)
    {
        var blanks = TextBuffer.Blanks(Buffer.Rest);
        if (blanks == Buffer.Length)
        {
            return false;
        }

        if (Buffer.Rest[blanks] != '{')
        {
            return Fail(pieces);
        }

        _lead += Buffer.Take(blanks);
        _call = new JsonCallReader(_isBare);
        return Go(Place.Call);
    }

    private bool Call(OutputPieces pieces, bool ended)
    {
        switch (_call.Read(Buffer, pieces, ended))
        {
            case CallProgress.NeedsMore:
                return false;
            case CallProgress.NoCall:
                Fail(pieces);
                pieces.Content(Buffer.Take(1));
                return true;
            case var progress:
                (_marker, _lead) = ("", "");
                return Go(progress == CallProgress.Broken ? Place.Broken : Place.Next);
        }
    }

    private bool Next(bool ended)
    {
        var rest = Buffer.Rest;
        var at = TextBuffer.Blanks(rest);
        if (at < rest.Length && rest[at] is ',' or ';')
        {
            at += 1 + TextBuffer.Blanks(rest[(at + 1)..]);
        }

        if (at == rest.Length)
        {
            return ended && Go(Place.Close);
        }

        if (rest[at] == '{')
        {
            Buffer.Skip(at);
            return Go(Place.Item);
        }

        Buffer.Skip(_isList && rest[at] == ']' ? at + 1 : 0);
        return Go(Place.Close);
    }

    private bool Broken(OutputPieces pieces, bool ended)
    {
        if (close is null)
        {
            return Go(Place.Text);
        }

        var end = Buffer.Find(close);
        if (end < 0 && !ended)
        {
            return false;
        }

        // The last brackets are the call's own.
        var rest = Buffer.Take(end < 0 ? Buffer.Length : end).AsSpan().TrimEnd();
        rest = _isList && rest.EndsWith("]") ? rest[..^1].TrimEnd() : rest;
        pieces.Arguments(end >= 0 && rest.EndsWith("}") ? rest[..^1].TrimEnd() : rest);
        return Go(Place.Close);
    }

    private bool Close(bool ended)
    {
        if (close is null)
        {
            return Go(Place.Text);
        }

        var closes = Buffer.BeginsWith(close, ended, out var length);
        Buffer.Skip(closes == true ? length : 0);
        return closes is not null && Go(Place.Text);
    }

    private bool Other(OutputPieces pieces, bool ended) => ReadOther(pieces, ended) switch
    {
        null => false,
        true => Go(Place.Close),
        false => Fail(pieces),
    };

    private bool Fail(OutputPieces pieces)
    {
        pieces.Content(IsControl(_marker) ? "" : _marker);
        pieces.Content(_lead);
        (_marker, _lead) = ("", "");
        return Go(Place.Text);
    }

    private bool Go(Place place)
    {
        _place = place;
        return true;
    }
}
