namespace Cluster.Worker.Tokenization.PreTokenizers;

/// <summary>Reads the options that the two <c>Metaspace</c> parts share.</summary>
internal static class MetaspaceReader
{
    public static char ReadReplacement(JsonPart part)
    {
        var text = part.OptionalString("replacement") ?? "▁";
        return text.Length == 1 ? text[0] : throw part.Error($"'replacement' is '{text}', expected one character");
    }

    /// <summary>Files from before <c>prepend_scheme</c> have <c>add_prefix_space</c> instead.</summary>
    public static PrependScheme ReadPrependScheme(JsonPart part) => part.OptionalString("prepend_scheme") switch
    {
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        null => part.Bool("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never,
        var name => throw part.Error($"unknown prepend_scheme '{name}'; supported: always, first, never"),
    };
}
