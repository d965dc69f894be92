using System.Text.Json;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>How far the reading of a call has come.</summary>
internal enum CallProgress
{
    NeedsMore,

    Done,

    /// <summary>The text is no call. All of it is still in the buffer.</summary>
    NoCall,

    /// <summary>The arguments that were begun are no JSON; what is left of them is in the buffer.</summary>
    Broken,
}

/// <summary>Reads one call that is a JSON object, <c>{"name": …, "arguments": {…}}</c>, or <c>parameters</c> for <c>arguments</c>, in any
/// order. Arguments leave as they come, once the name is known. Before that nothing is taken from the buffer.</summary>
/// <param name="isBare">No marker says that this is a call: it has to have arguments, and no members that no call has.</param>
internal sealed class JsonCallReader(bool isBare)
{
    private static readonly string[] Members = ["name", "arguments", "parameters", "type", "id"];

    private enum Place
    {
        Object,
        FirstKey,
        Key,
        Colon,
        Value,
        Comma,
    }

    private JsonScanner _scanner;
    private Place _place;
    private bool _inToken;
    private int _at;
    private int _from;
    private string _key = "";
    private string? _name;
    private string? _arguments;
    private bool _inArguments;

    /// <summary>Whether the call has left, so that the text cannot be anything else any more.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Reads on in the object that the buffer begins with.</summary>
    public CallProgress Read(TextBuffer buffer, OutputPieces pieces, bool ended)
    {
        while (true)
        {
            if (_inArguments)
            {
                var taken = _scanner.Take(buffer.Rest);
                pieces.Arguments(buffer.Rest[..taken]);
                buffer.Skip(taken);
                if (!_scanner.IsComplete)
                {
                    return ended ? CallProgress.Done : _scanner.IsBroken ? CallProgress.Broken : CallProgress.NeedsMore;
                }

                (_inArguments, _inToken, _at, _place) = (false, false, 0, Place.Comma);
            }

            if (_at >= buffer.Length)
            {
                return !ended ? CallProgress.NeedsMore : End(buffer);
            }

            if (Advance(buffer, pieces) is { } progress)
            {
                return progress == CallProgress.NoCall && HasBegun ? CallProgress.Done : progress;
            }
        }
    }

    private CallProgress End(TextBuffer buffer)
    {
        if (HasBegun)
        {
            buffer.Skip(buffer.Length);
        }

        return HasBegun ? CallProgress.Done : CallProgress.NoCall;
    }

    /// <summary>Goes past a character, or as much of a key or value as has come.</summary>
    /// <returns>Null to go on.</returns>
    private CallProgress? Advance(TextBuffer buffer, OutputPieces pieces)
    {
        var rest = buffer.Rest;
        if (_inToken)
        {
            _at += _scanner.Take(rest[_at..]);
            if (!_scanner.IsComplete)
            {
                return _scanner.IsBroken ? CallProgress.NoCall : null;
            }

            _inToken = false;
            return Token(rest[_from.._at], buffer, pieces) ? null : CallProgress.NoCall;
        }

        var c = rest[_at];
        if (char.IsWhiteSpace(c))
        {
            _at++;
            return null;
        }

        switch (_place, c)
        {
            case (Place.Object, '{'):
                _place = Place.FirstKey;
                break;
            case (Place.FirstKey or Place.Comma, '}'):
                return Close(buffer, pieces);
            case (Place.Comma, ','):
                _place = Place.Key;
                break;
            case (Place.Colon, ':'):
                _place = Place.Value;
                break;
            case (Place.FirstKey or Place.Key, '"'):
                _place = Place.Key;
                Start();
                return null;
            case (Place.Value, '{') when !HasBegun && _name is not null && IsArguments(_key):
                Begin(pieces);
                buffer.Skip(_at);
                _inArguments = true;
                _scanner = default;
                return null;
            case (Place.Value, not '"') when !HasBegun && _key == "name":
                return CallProgress.NoCall;
            case (Place.Value, _):
                Start();
                return null;
            default:
                return CallProgress.NoCall;
        }

        _at++;
        return null;

        void Start() => (_inToken, _from, _scanner) = (true, _at, default);
    }

    /// <summary>A key or a value is whole.</summary>
    /// <returns>False when the object is no call.</returns>
    private bool Token(ReadOnlySpan<char> token, TextBuffer buffer, OutputPieces pieces)
    {
        if (_place == Place.Key)
        {
            _place = Place.Colon;
            return TryText(token, out _key) && (HasBegun || !isBare || Members.Contains(_key));
        }

        _place = Place.Comma;
        if (HasBegun)
        {
            return true;
        }

        if (_key == "name")
        {
            if (!TryText(token, out var name) || name.Length == 0)
            {
                return false;
            }

            _name = name;
        }
        else if (IsArguments(_key))
        {
            _arguments = ArgumentsOf(token);
            if (_arguments is null)
            {
                return false;
            }
        }

        if (_name is not null && _arguments is not null)
        {
            Begin(pieces);
            pieces.Arguments(_arguments);
            buffer.Skip(_at);
            _at = 0;
        }

        return true;
    }

    private CallProgress Close(TextBuffer buffer, OutputPieces pieces)
    {
        if (!HasBegun)
        {
            if (_name is null || isBare)
            {
                return CallProgress.NoCall;
            }

            Begin(pieces);
            pieces.Arguments("{}");
        }

        buffer.Skip(_at + 1);
        return CallProgress.Done;
    }

    private void Begin(OutputPieces pieces)
    {
        HasBegun = true;
        pieces.BeginCall(_name!);
    }

    private static bool IsArguments(string key) => key is "arguments" or "parameters";

    /// <summary>Some models write them as a text that holds the object, or as null.</summary>
    private static string? ArgumentsOf(ReadOnlySpan<char> token)
    {
        var text = token[0] == '"' && TryText(token, out var held) ? held.Trim() : token.Trim().ToString();
        return text is "" or "null" ? "{}" : text[0] == '{' ? text : null;
    }

    private static bool TryText(ReadOnlySpan<char> token, out string text)
    {
        text = "";
        try
        {
            using var json = JsonDocument.Parse(token.ToString());
            text = json.RootElement.ValueKind == JsonValueKind.String ? json.RootElement.GetString()! : "";
            return json.RootElement.ValueKind == JsonValueKind.String;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not JSON, or a text with half a surrogate pair: what the model wrote is no call.
            return false;
        }
    }
}
