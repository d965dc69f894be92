namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls of DeepSeek: of V3 and R1 <c>function&lt;｜tool▁sep｜&gt;name</c> and the arguments in a block of code, of V3.1
/// <c>name&lt;｜tool▁sep｜&gt;{…}</c>.</summary>
internal sealed class DeepSeekParser() : DelimitedCallsParser(CallDelimiters.DeepSeek)
{
    /// <summary>What stands before the separator where the name stands behind it.</summary>
    private const string Kind = "function";
    private const string Fence = "```json";

    protected override bool TryHeader(TextBuffer buffer, bool ended, out string name, out string? id)
    {
        (name, id) = ("", null);
        var separator = buffer.Find(CallDelimiters.DeepSeek.Separator);
        if (separator < 0)
        {
            return false;
        }

        name = buffer.Rest[..separator].Trim().ToString();
        var arguments = separator + CallDelimiters.DeepSeek.Separator.Length;
        if (name == Kind)
        {
            var rest = buffer.Rest[arguments..];
            var fence = TextBuffer.First(rest, [Fence, CallDelimiters.DeepSeek.CallEnd], ended, out var at);
            if (fence is null && !ended)
            {
                return false;
            }

            name = rest[..at].Trim().ToString();
            arguments += at + (fence == Fence ? Fence.Length : 0);
        }

        buffer.Skip(arguments);
        return true;
    }
}
