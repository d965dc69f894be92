using System.Text;

namespace Cluster.Worker.Serving.Http;

/// <summary>All of the output is the arguments of the function that <c>tool_choice</c> names; cut short, they are cut short in the call,
/// too.</summary>
internal sealed class NamedCallParser(string name) : ICallParser
{
    private readonly StringBuilder _arguments = new();

    /// <summary>OpenAI's service says <c>stop</c> where the request itself had named the call.</summary>
    public bool StopsForCalls => false;

    public ParsedOutput Add(string text, bool ended)
    {
        _arguments.Append(text);
        return new ParsedOutput("", ended ? [ToolCall.Of(0, new FunctionCall(name, _arguments.ToString()))] : []);
    }
}
