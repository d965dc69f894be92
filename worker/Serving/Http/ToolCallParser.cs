using System.Text;
using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>A call the model made, as OpenAI spells it.</summary>
/// <param name="Index">Position among the calls of the message; null in an answer that is sent whole.</param>
internal sealed record ToolCall(int? Index, string Id, string Type, FunctionCall Function)
{
    /// <summary>A call with an id of its own.</summary>
    public static ToolCall Of(int index, FunctionCall function) => new(index, $"call_{Guid.NewGuid():N}", "function", function);
}

/// <param name="Arguments">JSON as text.</param>
internal sealed record FunctionCall(string Name, string Arguments);

/// <summary>What a piece of output turned out to be.</summary>
/// <param name="Content">Text for the user; empty when there is none.</param>
internal readonly record struct ParsedOutput(string Content, IReadOnlyList<ToolCall> Calls);

/// <summary>Finds tool calls in output as it comes, in the style of Hermes and Qwen:
/// <c>&lt;tool_call&gt;{"name": …, "arguments": {…}}&lt;/tool_call&gt;</c>. Text that only might become a call is held back, and what is no
/// call after all is given out as text, so nothing the model wrote is lost. One for each choice of
/// <see cref="ChatCompletionsEndpoint"/>.</summary>
/// <param name="maxCalls">Calls beyond are dropped (<c>parallel_tool_calls: false</c>).</param>
internal sealed class ToolCallParser(int maxCalls = int.MaxValue) : ICallParser
{
    private const string Open = "<tool_call>";
    private const string Close = "</tool_call>";

    private readonly StringBuilder _pending = new();
    private int _numCalls;
    private bool _inCall;

    public bool StopsForCalls => _numCalls > 0;

    public ParsedOutput Add(string text, bool ended)
    {
        // A call is looked at when its closing tag may be there; before that, appending is all there is to do.
        _pending.Append(text);
        if (_inCall && !ended && !text.Contains('>'))
        {
            return new ParsedOutput("", []);
        }

        var rest = _pending.ToString();
        var content = new StringBuilder();
        var calls = new List<ToolCall>();
        while (true)
        {
            if (!_inCall)
            {
                var open = rest.IndexOf(Open, StringComparison.Ordinal);
                if (open < 0)
                {
                    var keep = ended ? 0 : Undecided(rest);
                    Text(content, rest[..^keep], ended);
                    rest = rest[^keep..];
                    break;
                }

                Text(content, rest[..open].TrimEnd(), ended);
                rest = rest[(open + Open.Length)..];
                _inCall = true;
            }

            var close = rest.IndexOf(Close, StringComparison.Ordinal);
            if (close < 0 && !ended)
            {
                break;
            }

            var body = close < 0 ? rest : rest[..close];
            if (Parse(body) is { } call)
            {
                if (_numCalls < maxCalls)
                {
                    calls.Add(ToolCall.Of(_numCalls++, call));
                }
            }
            else
            {
                content.Append(Open).Append(body).Append(close < 0 ? "" : Close);
            }

            rest = close < 0 ? "" : rest[(close + Close.Length)..];
            _inCall = false;
        }

        _pending.Clear().Append(rest);
        return new ParsedOutput(content.ToString(), calls);
    }

    /// <summary>Line breaks around calls are layout, not content.</summary>
    private void Text(StringBuilder content, string text, bool ended)
    {
        if (_numCalls == 0 || !string.IsNullOrWhiteSpace(text))
        {
            content.Append(ended && _numCalls > 0 ? text.TrimEnd() : text);
        }
    }

    /// <summary>Characters at the end that may belong to an opening tag, with the blank ones before it.</summary>
    private static int Undecided(string text)
    {
        var start = text.LastIndexOf('<');
        var tag = start >= 0 && Open.StartsWith(text.AsSpan(start), StringComparison.Ordinal) ? start : text.Length;
        return text.Length - text.AsSpan(0, tag).TrimEnd().Length;
    }

    /// <summary>The call in a pair of tags; null when it is none.</summary>
    private static FunctionCall? Parse(string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = ApiJson.MaxDepth });
            if (json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty("name", out var name)
                || name.ValueKind != JsonValueKind.String
                || name.GetString() is not { Length: > 0 } function)
            {
                return null;
            }

            if (!json.RootElement.TryGetProperty("arguments", out var arguments))
            {
                return new FunctionCall(function, "{}");
            }

            return arguments.ValueKind == JsonValueKind.Object ? new FunctionCall(function, arguments.GetRawText()) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not JSON, or a text with half a surrogate pair: what the model wrote is no call.
            return null;
        }
    }
}
