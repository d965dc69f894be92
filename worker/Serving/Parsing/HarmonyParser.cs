using System.Text.RegularExpressions;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>Messages of gpt-oss, which go to channels: <c>analysis</c> is reasoning, <c>final</c> is content, and so is
/// <c>commentary</c> unless it is addressed to a function, which makes it a call. The prompt has begun the first message.</summary>
/// <param name="content">Takes the content.</param>
internal sealed partial class HarmonyParser(IOutputParser content) : BufferedParser
{
    public const string Start = "<|start|>";
    public const string Channel = "<|channel|>";
    public const string Constrain = "<|constrain|>";
    public const string Message = "<|message|>";
    public const string EndMessage = "<|end|>";
    public const string EndCall = "<|call|>";
    public const string Return = "<|return|>";

    private const string Functions = "functions.";

    private static readonly string[] Beginnings = [Start, Channel];
    private static readonly string[] Headers = [Message];
    private static readonly string[] BodyEnds = [EndMessage, EndCall, Return, Start, Channel];

    private enum Place
    {
        First,
        Between,
        Header,
        Reasoning,
        Content,
        Call,
    }

    private Place _place;
    private string _header = "";
    private bool _hasArguments;

    /// <summary>Whether a template is of a model that writes so.</summary>
    public static bool IsMentionedBy(Tokenization.IChatTemplate template) => Beginnings.All(template.Mentions);

    protected override bool Step(OutputPieces pieces, bool ended)
    {
        switch (_place)
        {
            case Place.First:
                return First(ended);
            case Place.Between:
                return Begin(TakeUpTo(Beginnings, ended, text: null));
            case Place.Header:
                if (TakeUpTo(Headers, ended, text => _header += text) is null)
                {
                    return false;
                }

                return Open(pieces);
            default:
                return Body(pieces, ended);
        }
    }

    protected override void Finish(OutputPieces pieces)
    {
        CloseCall(pieces);
        content.End(pieces);
    }

    /// <summary>A template may have begun the message in a channel; then the text begins at once.</summary>
    private bool First(bool ended)
    {
        bool?[] begins = [
            Buffer.BeginsWith(Channel, ended, out _), Buffer.BeginsWith(Start, ended, out _), Buffer.BeginsWith("to=", ended, out _)];
        if (begins.Contains(true))
        {
            return Go(begins[2] == true ? Place.Header : Place.Between);
        }

        return !begins.Contains(null) && Go(Place.Content);
    }

    private bool Begin(string? marker)
    {
        _header = marker ?? "";
        return marker is not null && Go(Place.Header);
    }

    private bool Open(OutputPieces pieces)
    {
        var channel = ChannelName().Match(_header).Groups["name"].Value;
        var recipient = Recipient().Match(_header).Groups["name"].Value;
        if (recipient.StartsWith(Functions, StringComparison.Ordinal) && recipient.Length > Functions.Length)
        {
            pieces.BeginCall(recipient[Functions.Length..]);
            _hasArguments = false;
            return Go(Place.Call);
        }

        // Code for tools that nobody has here is part of the way to the answer.
        return Go(channel == "analysis" || recipient.Length > 0 ? Place.Reasoning : Place.Content);
    }

    private bool Body(OutputPieces pieces, bool ended)
    {
        var marker = TextBuffer.First(Buffer.Rest, BodyEnds, ended, out var at);
        var text = Buffer.Rest[..at];
        if (_place == Place.Call)
        {
            // Blanks around the object are layout; those at the end stay until more has come.
            at = marker is null && !ended ? text.TrimEnd().Length : at;
            text = text[..at];
            text = _hasArguments ? text : text.TrimStart();
            text = marker is null && !ended ? text : text.TrimEnd();
            pieces.Arguments(text);
            _hasArguments |= text.Length > 0;
        }
        else if (_place == Place.Reasoning)
        {
            pieces.Reasoning(text);
        }
        else
        {
            content.Add(text, pieces);
        }

        Buffer.Skip(at);
        if (marker is null)
        {
            return false;
        }

        CloseCall(pieces);
        Buffer.Skip(marker is Start or Channel ? 0 : marker.Length);
        return Go(Place.Between);
    }

    private void CloseCall(OutputPieces pieces)
    {
        if (_place == Place.Call && !_hasArguments)
        {
            pieces.Arguments("{}");
        }
    }

    private bool Go(Place place)
    {
        _place = place;
        return true;
    }

    [GeneratedRegex(@"<\|channel\|>\s*(?<name>\w+)")]
    private static partial Regex ChannelName();

    [GeneratedRegex(@"\bto=(?<name>[^\s<]+)")]
    private static partial Regex Recipient();
}
