namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls as a list of Python's, <c>[weather(city="Bern"), now()]</c>: the output begins with it, or a token before it says so, as
/// with Llama 4.</summary>
internal sealed class PythonicParser : BufferedParser
{
    public const string Begin = "<|python_start|>";
    public const string EndMarker = "<|python_end|>";

    private enum Place
    {
        Start,
        Item,
        Next,
        Text,
    }

    private Place _place;
    private string _lead = "";
    private int _at;
    private int _depth;
    private char _quote;
    private bool _escaped;

    protected override bool Step(OutputPieces pieces, bool ended) => _place switch
    {
        Place.Start => Start(ended),
        Place.Item => Item(pieces, ended),
        Place.Next => Next(ended),
        _ => Text(pieces, ended),
    };

    protected override void Finish(OutputPieces pieces)
    {
        pieces.Content(_lead);
        pieces.Content(Buffer.Take(Buffer.Length));
    }

    private bool Start(bool ended)
    {
        var begins = Buffer.BeginsWith(Begin, ended, out var length);
        Buffer.Skip(begins == true ? length : 0);
        var blanks = TextBuffer.Blanks(Buffer.Rest);
        if (begins is null || blanks == Buffer.Length)
        {
            return false;
        }

        if (Buffer.Rest[blanks] != '[')
        {
            _place = Place.Text;
            return true;
        }

        _lead = Buffer.Take(blanks + 1);
        return Go(Place.Item);
    }

    private bool Item(OutputPieces pieces, bool ended)
    {
        var rest = Buffer.Rest;
        while (_at < rest.Length)
        {
            var c = rest[_at++];
            if (_quote != 0)
            {
                _quote = !_escaped && c == _quote ? '\0' : _quote;
                _escaped = !_escaped && c == '\\';
                continue;
            }

            _quote = _depth > 0 && c is '"' or '\'' ? c : '\0';
            _depth += c is '(' or '[' or '{' ? 1 : c is ')' or ']' or '}' ? -1 : 0;
            if (_depth == 0 && c == ')')
            {
                return Call(pieces);
            }

            // Before its brackets, a call is a name.
            if (_depth < 0 || (_depth == 0 && !(char.IsLetterOrDigit(c) || char.IsWhiteSpace(c) || c is '_' or '.' or '-'))
                || (_depth == 1 && c is '[' or '{' && !rest[.._at].Contains('(')))
            {
                return Fail(pieces);
            }
        }

        return ended && Fail(pieces);
    }

    private bool Call(OutputPieces pieces)
    {
        if (!PythonLiteral.TryCall(Buffer.Rest[.._at], out var name, out var arguments))
        {
            return Fail(pieces);
        }

        pieces.BeginCall(name);
        pieces.Arguments(arguments);
        Buffer.Skip(_at);
        _lead = "";
        return Go(Place.Next);
    }

    private bool Next(bool ended)
    {
        var blanks = TextBuffer.Blanks(Buffer.Rest);
        if (blanks == Buffer.Length)
        {
            return ended && Go(Place.Text);
        }

        switch (Buffer.Rest[blanks])
        {
            case ',':
                Buffer.Skip(blanks + 1);
                return Go(Place.Item);
            case ']':
                Buffer.Skip(blanks + 1);
                return Go(Place.Text);
            default:
                return Go(Place.Text);
        }
    }

    private bool Text(OutputPieces pieces, bool ended)
    {
        var marker = TakeUpTo([Begin, EndMarker], ended, text => pieces.Content(text));
        return marker is not null && Go(marker == Begin ? Place.Start : Place.Text);
    }

    private bool Fail(OutputPieces pieces)
    {
        pieces.Content(_lead);
        _lead = "";
        return Go(Place.Text);
    }

    private bool Go(Place place)
    {
        (_place, _at, _depth, _quote, _escaped) = (place, 0, 0, '\0', false);
        return true;
    }
}
