namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The value of a name, attribute or item that is not there: empty text, false, no items; anything else is an error.</summary>
/// <param name="Message">What to say then.</param>
internal sealed record Undefined(string Message)
{
    private const int MaxQuoted = 80;

    public static Undefined Name(string name) => new($"'{Shorten(name)}' is undefined");

    public static Undefined Attribute(object? target, string name) =>
        new($"'{Values.TypeName(target)} object' has no attribute '{Shorten(name)}'");

    /// <summary>As much of a text as belongs into a message.</summary>
    public static string Shorten(string text) => text.Length <= MaxQuoted ? text : text[..MaxQuoted] + "…";
}
