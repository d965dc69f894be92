namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls of GLM 4.5: <c>&lt;tool_call&gt;name&lt;arg_key&gt;key&lt;/arg_key&gt;&lt;arg_value&gt;value&lt;/arg_value&gt;
/// &lt;/tool_call&gt;</c>.</summary>
internal sealed class GlmParser(ToolSchemas schemas) : TaggedCallsParser(schemas, guesses: true)
{
    private const string Key = "<arg_key>";
    private const string EndKey = "</arg_key>";
    private const string Value = "<arg_value>";
    private const string EndValue = "</arg_value>";

    private static readonly string[] Beginnings = [Open];
    private static readonly string[] InCall = [Key, Close];
    private static readonly string[] BehindKey = [Value, Close];
    private static readonly string[] ValueEnds = [EndValue, Close];

    private enum Place
    {
        Text,
        Name,
        Arguments,
        Key,
        BehindKey,
        Value,
    }

    private Place _place;
    private string _key = "";

    protected override bool Step(OutputPieces pieces, bool ended)
    {
        switch (_place)
        {
            case Place.Text:
                if (TakeUpTo(Beginnings, ended, text => pieces.Content(text)) is not { } open)
                {
                    return false;
                }

                Lead = open;
                return Go(Place.Name);
            case Place.Name:
                // A line break may stand before the name, too.
                Lead += Buffer.Take(TextBuffer.Blanks(Buffer.Rest));
                if (Buffer.Length == 0 || TakeName(ended, "\n", Key, Close) is not { } name)
                {
                    return false;
                }

                if (name.Length == 0)
                {
                    pieces.Content(Lead);
                    Lead = "";
                    return Go(Place.Text);
                }

                BeginCall(name, pieces);
                return Go(Place.Arguments);
            case Place.Arguments:
                return InTags(TakeUpTo(InCall, ended, text: null), Place.Key);
            case Place.Key:
                var end = Buffer.Find(EndKey);
                if (end < 0)
                {
                    return false;
                }

                _key = Buffer.Take(end).Trim();
                Buffer.Skip(EndKey.Length);
                return Go(Place.BehindKey);
            case Place.BehindKey:
                return InTags(TakeUpTo(BehindKey, ended, text: null), Place.Value);
            default:
                var close = Buffer.Find(ValueEnds, out var marker);
                if (close < 0 && !ended)
                {
                    return false;
                }

                Argument(_key, Buffer.Take(close < 0 ? Buffer.Length : close));
                Buffer.Skip(marker == EndValue ? EndValue.Length : 0);
                return Go(Place.Arguments);
        }
    }

    protected override void Finish(OutputPieces pieces)
    {
        Buffer.Skip(_place == Place.Key ? Buffer.Length : 0);
        base.Finish(pieces);
    }

    private bool InTags(string? marker, Place next)
    {
        if (marker == Close)
        {
            EndCall();
        }

        return marker is not null && Go(marker == Close ? Place.Text : next);
    }

    private bool Go(Place place)
    {
        _place = place;
        return true;
    }
}
