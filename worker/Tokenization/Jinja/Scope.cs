namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Names and their values, inside those of an outer scope. Loop bodies, macros and <c>with</c> open one; what they set is gone
/// when they end.</summary>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, object?>? _values;

    public void Set(string name, object? value) => (_values ??= new Dictionary<string, object?>(StringComparer.Ordinal))[name] = value;

    public bool TryGet(string name, out object? value)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values is not null && scope._values.TryGetValue(name, out value))
            {
                return true;
            }
        }
        value = null;
        return false;
    }

    private Scope? Outer { get; } = outer;
}
