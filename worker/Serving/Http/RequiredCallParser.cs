using System.Text;
using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>All of the output is a JSON array of calls, as <see cref="ToolDemand.Any"/> has it. An array that was cut short is no call: it
/// is given out as text.</summary>
internal sealed class RequiredCallParser : ICallParser
{
    private readonly StringBuilder _output = new();

    public bool StopsForCalls => true;

    public ParsedOutput Add(string text, bool ended)
    {
        _output.Append(text);
        return ended ? Parse(_output.ToString()) : new ParsedOutput("", []);
    }

    private static ParsedOutput Parse(string text)
    {
        try
        {
            using var calls = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = ApiJson.MaxDepth });
            return new ParsedOutput("", [.. calls.RootElement.EnumerateArray().Select((call, index) =>
                ToolCall.Of(index, new FunctionCall(call.GetProperty("name").GetString()!, call.GetProperty("arguments").GetRawText())))]);
        }
        catch (JsonException)
        {
            return new ParsedOutput(text, []);
        }
    }
}
