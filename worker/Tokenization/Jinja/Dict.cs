using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>A Python dict: insertion order, keys of different types, 1 and 1.0 and True being the same key.</summary>
internal sealed class Dict : OrderedDictionary<object, object?>
{
    public Dict()
        : base(KeyComparer.Instance)
    {
    }

    /// <summary>Only what hashes cheaply may be a key.</summary>
    public static object Key(object? value) => value switch
    {
        null => NoneKey.Instance,
        string or long or BigInteger or double or bool => value,
        _ => throw new RenderError($"a dict key must be a string, number, boolean or none, not {Jinja.Values.TypeName(value)}"),
    };

    public bool TryGet(object? key, out object? value, RenderBudget budget)
    {
        budget.Work(key as string);
        value = null;
        return key is null or string or long or BigInteger or double or bool && TryGetValue(Key(key), out value);
    }

    public void Set(object? key, object? value, RenderBudget budget)
    {
        budget.Entry(key);
        this[Key(key)] = value;
    }

    /// <summary>Removes an entry and closes the gap.</summary>
    public bool Drop(object? key, RenderBudget budget)
    {
        budget.Work(key as string);
        budget.Step(Count);
        return Remove(Key(key));
    }

    /// <summary>Keys as the template sees them.</summary>
    public IEnumerable<object?> TemplateKeys => Keys.Select(key => ReferenceEquals(key, NoneKey.Instance) ? null : key);

    public IEnumerable<(object? Key, object? Value)> Entries => TemplateKeys.Zip(Values);

    // .NET dictionaries take no null key.
    private sealed class NoneKey
    {
        public static NoneKey Instance { get; } = new();
    }

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static KeyComparer Instance { get; } = new();

        bool IEqualityComparer<object>.Equals(object? x, object? y) =>
            Number(x) is { } a && Number(y) is { } b ? a == b : Equals(x, y);

        public int GetHashCode([DisallowNull] object value) => (Number(value) ?? value).GetHashCode();

        private static double? Number(object? value) => value switch
        {
            bool b => b ? 1 : 0,
            long l => l,
            double d => d,
            _ => null,
        };
    }
}
