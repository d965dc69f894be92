namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The variable <c>loop</c> inside a <c>for</c>.</summary>
/// <param name="depth0">Loops of a recursive loop around this one.</param>
/// <param name="recurse">Calls the loop again on other items; null when it is not recursive.</param>
internal sealed class LoopContext(IReadOnlyList<object?> items, int depth0, RenderBudget budget, Func<object?, object?>? recurse)
{
    private object? _lastChanged;
    private bool _hasChanged;

    public int Index0 { get; set; }

    public object? Call(object? target) =>
        recurse is null ? throw new RenderError("'loop' can only be called in a recursive loop") : recurse(target);

    public object? Attribute(string name) => name switch
    {
        "index" => Index0 + 1L,
        "index0" => (long)Index0,
        "revindex" => (long)(items.Count - Index0),
        "revindex0" => items.Count - Index0 - 1L,
        "first" => Index0 == 0,
        "last" => Index0 == items.Count - 1,
        "length" => (long)items.Count,
        "depth" => depth0 + 1L,
        "depth0" => (long)depth0,
        "previtem" => Index0 > 0 ? items[Index0 - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index0 + 1 < items.Count ? items[Index0 + 1] : new Undefined("there is no next item"),
        "cycle" => new Function(name, Cycle),
        "changed" => new Function(name, Changed),
        _ => Undefined.Attribute(this, name),
    };

    private object? Cycle(Arguments arguments) => arguments.Positional.Count > 0
        ? arguments.Positional[Index0 % arguments.Positional.Count]
        : throw new RenderError("'loop.cycle' needs values");

    private object? Changed(Arguments arguments)
    {
        object?[] value = [.. arguments.Positional];
        var changed = !_hasChanged || !Values.AreEqual(value, _lastChanged, budget);
        (_lastChanged, _hasChanged) = (value, true);
        return changed;
    }
}
