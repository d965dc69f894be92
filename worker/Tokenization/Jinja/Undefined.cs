namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The value of a name, attribute or item that is not there: empty text, false, no items; anything else is an error.</summary>
/// <param name="Message">What to say then.</param>
internal sealed record Undefined(string Message)
{
    public static Undefined Name(string name) => new($"'{name}' is undefined");

    public static Undefined Attribute(object? target, string name) => new($"'{Values.TypeName(target)} object' has no attribute '{name}'");
}
