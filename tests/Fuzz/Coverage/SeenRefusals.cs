using System.Text.RegularExpressions;

namespace Cluster.Fuzz.Coverage;

/// <summary>Without instrumented assemblies, an input is new whose refusal was not seen before: it came to another check. Texts that differ
/// in what they quote and in numbers count as one.</summary>
internal sealed partial class SeenRefusals : INovelty
{
    private const int MostLength = 160;

    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public void Begin()
    {
    }

    public bool IsNew(Verdict verdict)
    {
        var shape = verdict.Refusal is { } text ? Particulars().Replace(text, "_") : "";
        return _seen.Add(shape.Length <= MostLength ? shape : shape[..MostLength]);
    }

    [GeneratedRegex("'[^']*'|\"[^\"]*\"|/[^ :]+|[0-9]+", RegexOptions.Singleline)]
    private static partial Regex Particulars();
}
