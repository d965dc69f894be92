namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Evaluated arguments of a call, filter or test.</summary>
internal sealed record Arguments(IReadOnlyList<object?> Positional, IReadOnlyDictionary<string, object?> Named)
{
    public static Arguments None { get; } = new([], new Dictionary<string, object?>());

    /// <summary>The argument at a position or of a name.</summary>
    public bool TryGet(int position, string name, out object? value)
    {
        if (position < Positional.Count)
        {
            value = Positional[position];
            return true;
        }
        return Named.TryGetValue(name, out value);
    }

    public object? Get(int position, string name, object? fallback = null) => TryGet(position, name, out var value) ? value : fallback;

    public object? Required(int position, string name) =>
        TryGet(position, name, out var value) ? value : throw new RenderError($"argument '{name}' is missing");

    public string Text(int position, string name, string? fallback = null) => Get(position, name, fallback) switch
    {
        string text => text,
        null when fallback is null => throw new RenderError($"argument '{name}' is missing"),
        var other => throw new RenderError($"argument '{name}' must be a string, not {Values.TypeName(other)}"),
    };

    public long Integer(int position, string name, long? fallback = null) => Get(position, name, fallback) switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        null => throw new RenderError($"argument '{name}' is missing"),
        var other => throw new RenderError($"argument '{name}' must be an integer, not {Values.TypeName(other)}"),
    };

    public bool Flag(int position, string name, bool fallback = false) =>
        TryGet(position, name, out var value) ? Values.IsTrue(value) : fallback;

    /// <summary>The same arguments without the first positional ones.</summary>
    public Arguments Skip(int count) => new([.. Positional.Skip(count)], Named);
}
