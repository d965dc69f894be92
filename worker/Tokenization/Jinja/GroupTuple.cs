using System.Collections;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>A group of the filter <c>groupby</c>: the tuple of a key and its items, which also have names, <c>grouper</c> and
/// <c>list</c>.</summary>
internal sealed record GroupTuple(object? Grouper, List<object?> List) : IReadOnlyList<object?>
{
    public int Count => 2;

    public object? this[int index] => index == 0 ? Grouper : List;

    public object? Attribute(string name) => name switch
    {
        "grouper" => Grouper,
        "list" => List,
        _ => null,
    };

    public IEnumerator<object?> GetEnumerator()
    {
        yield return Grouper;
        yield return List;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
