namespace Cluster.Worker.Serving.Parsing;

/// <summary>The tokens around calls that stand in a section of their own.</summary>
/// <param name="Separator">Between the name and the arguments.</param>
internal sealed record CallDelimiters(string SectionBegin, string CallBegin, string Separator, string CallEnd, string SectionEnd)
{
    public static CallDelimiters DeepSeek { get; } = new(
        "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>");

    public static CallDelimiters Kimi { get; } = new(
        "<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>",
        "<|tool_calls_section_end|>");

    public IReadOnlyList<string> All => [SectionBegin, CallBegin, Separator, CallEnd, SectionEnd];
}

/// <summary>Calls of DeepSeek and Kimi: tokens of their own mark sections, calls and arguments.</summary>
internal abstract class DelimitedCallsParser(CallDelimiters delimiters) : BufferedParser
{
    private enum Place
    {
        Text,
        Section,
        Header,
        Arguments,
        CallEnd,
    }

    private CallArgumentReader? _arguments;
    private Place _place;
    private bool _inSection;

    protected override bool Step(OutputPieces pieces, bool ended)
    {
        switch (_place)
        {
            case Place.Text:
                return Begin(TakeUpTo([delimiters.SectionBegin, delimiters.CallBegin], ended, text => pieces.Content(text)));
            case Place.Section:
                return Begin(TakeUpTo([delimiters.CallBegin, delimiters.SectionEnd], ended, text: null));
            case Place.Header:
                if (!TryHeader(Buffer, ended, out var name, out var id))
                {
                    return false;
                }

                if (name.Length == 0)
                {
                    _place = Place.CallEnd;
                    return true;
                }

                pieces.BeginCall(name, id);
                _arguments = new CallArgumentReader(delimiters.CallEnd);
                _place = Place.Arguments;
                return true;
            case Place.Arguments:
                if (!_arguments!.Read(Buffer, pieces, ended))
                {
                    return false;
                }

                (_arguments, _place) = (null, Place.CallEnd);
                return true;
            default:
                if (TakeUpTo([delimiters.CallEnd], ended, text: null) is null)
                {
                    return false;
                }

                _place = _inSection ? Place.Section : Place.Text;
                return true;
        }
    }

    /// <summary>Half a call has no text that anybody could read.</summary>
    protected override void Finish(OutputPieces pieces)
    {
        Buffer.Skip(Buffer.Length);
        if (_place == Place.Arguments)
        {
            _arguments!.Read(Buffer, pieces, ended: true);
        }
    }

    /// <summary>Takes what stands before the arguments.</summary>
    /// <returns>False when it needs more.</returns>
    protected abstract bool TryHeader(TextBuffer buffer, bool ended, out string name, out string? id);

    private bool Begin(string? marker)
    {
        _inSection = marker is null ? _inSection : marker == delimiters.SectionBegin || (_inSection && marker != delimiters.SectionEnd);
        _place = marker is null ? _place : marker == delimiters.CallBegin ? Place.Header : _inSection ? Place.Section : Place.Text;
        return marker is not null;
    }
}
