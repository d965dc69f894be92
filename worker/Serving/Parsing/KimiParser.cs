namespace Cluster.Worker.Serving.Parsing;

/// <summary>Calls of Kimi K2: <c>functions.name:0</c>, which is the call's id as well, and the arguments.</summary>
internal sealed class KimiParser() : DelimitedCallsParser(CallDelimiters.Kimi)
{
    private const string Prefix = "functions.";

    protected override bool TryHeader(TextBuffer buffer, bool ended, out string name, out string? id)
    {
        (name, id) = ("", null);
        var separator = buffer.Find(CallDelimiters.Kimi.Separator);
        if (separator < 0)
        {
            return false;
        }

        id = buffer.Rest[..separator].Trim().ToString();
        buffer.Skip(separator + CallDelimiters.Kimi.Separator.Length);
        name = id.StartsWith(Prefix, StringComparison.Ordinal) ? id[Prefix.Length..] : id;
        var number = name.LastIndexOf(':');
        name = number > 0 && name.AsSpan(number + 1).Trim().ContainsAnyExceptInRange('0', '9') == false ? name[..number] : name;
        id = id.Length == 0 ? null : id;
        return true;
    }
}
