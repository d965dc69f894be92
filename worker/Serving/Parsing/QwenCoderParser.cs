namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls of Qwen3-Coder: <c>&lt;tool_call&gt;&lt;function=name&gt;&lt;parameter=key&gt;value&lt;/parameter&gt;
/// &lt;/function&gt;&lt;/tool_call&gt;</c>. The outer tags may be missing, and the ends of parameters.</summary>
internal sealed class QwenCoderParser(ToolSchemas schemas) : TaggedCallsParser(schemas, guesses: false)
{
    private const string Function = "<function=";
    private const string EndFunction = "</function>";
    private const string Parameter = "<parameter=";
    private const string EndParameter = "</parameter>";

    private static readonly string[] Beginnings = [Open, Function];
    private static readonly string[] InFunction = [Parameter, EndFunction, Close];
    private static readonly string[] ValueEnds = [EndParameter, Parameter, EndFunction];

    private enum Place
    {
        Text,
        Function,
        Name,
        Parameters,
        Key,
        Value,
        Next,
    }

    private Place _place;
    private string _key = "";

    protected override bool Step(OutputPieces pieces, bool ended)
    {
        switch (_place)
        {
            case Place.Text:
                if (TakeUpTo(Beginnings, ended, text => pieces.Content(text)) is not { } marker)
                {
                    return false;
                }

                Lead = marker;
                return Go(marker == Open ? Place.Function : Place.Name);
            case Place.Function:
                var begins = Buffer.BeginsWith(Function, ended, out var length);
                Lead += begins == true ? Buffer.Take(length) : "";
                return begins is { } named && (named ? Go(Place.Name) : Fail(pieces));
            case Place.Name:
                if (TakeName(ended, ">", "\n", "<") is not { } name)
                {
                    return false;
                }

                if (name.Length == 0 || Buffer.Rest[0] != '>')
                {
                    Lead += name;
                    return Fail(pieces);
                }

                Buffer.Skip(1);
                BeginCall(name, pieces);
                return Go(Place.Parameters);
            case Place.Parameters:
                if (TakeUpTo(InFunction, ended, text: null) is not { } tag)
                {
                    return false;
                }

                if (tag != Parameter)
                {
                    EndCall();
                }

                return Go(tag == Parameter ? Place.Key : tag == EndFunction ? Place.Next : Place.Text);
            case Place.Key:
                var end = Buffer.Find(">");
                if (end < 0)
                {
                    return false;
                }

                _key = Buffer.Take(end).Trim();
                Buffer.Skip(1);
                return Go(Place.Value);
            case Place.Value:
                return Value(ended);
            default:
                return Next(ended);
        }
    }

    protected override void Finish(OutputPieces pieces)
    {
        Buffer.Skip(_place == Place.Key ? Buffer.Length : 0);
        base.Finish(pieces);
    }

    private bool Value(bool ended)
    {
        var end = Buffer.Find(ValueEnds, out var marker);
        if (end < 0 && !ended)
        {
            return false;
        }

        // The line breaks beside the tags are layout.
        var value = Buffer.Take(end < 0 ? Buffer.Length : end);
        value = value.StartsWith('\n') ? value[1..] : value;
        Argument(_key, value.EndsWith('\n') ? value[..^1] : value);
        Buffer.Skip(marker == EndParameter ? EndParameter.Length : 0);
        return Go(Place.Parameters);
    }

    private bool Next(bool ended)
    {
        var closes = Buffer.BeginsWith(Close, ended, out var length);
        var another = Buffer.BeginsWith(Function, ended, out var functionLength);
        Buffer.Skip(closes == true ? length : another == true ? functionLength : 0);
        Lead = another == true ? Function : "";
        return (closes, another) switch
        {
            (true, _) => Go(Place.Text),
            (_, true) => Go(Place.Name),
            (null, _) or (_, null) => false,
            _ => Go(Place.Text),
        };
    }

    private bool Fail(OutputPieces pieces)
    {
        pieces.Content(Lead);
        Lead = "";
        return Go(Place.Text);
    }

    private bool Go(Place place)
    {
        _place = place;
        return true;
    }
}
