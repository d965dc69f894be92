using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>A map or an object while a rule runs.</summary>
internal abstract class CelMap
{
    public abstract int Count { get; }

    /// <summary>In the order of the document.</summary>
    public abstract IEnumerable<object?> Keys { get; }

    public abstract bool TryGet(object? key, out object? value);

    /// <summary>The same by the name that an expression selects, which is escaped where the map is an object.</summary>
    public virtual bool TryGetField(string name, out object? value) => TryGet(name, out value);
}

/// <summary>A map that an expression writes down. Keys equal as CEL values do: 1 and 1.0 are one key.</summary>
internal sealed class CelLiteralMap(IReadOnlyList<(object? Key, object? Value)> entries) : CelMap
{
    public override int Count => entries.Count;

    public override IEnumerable<object?> Keys => entries.Select(entry => entry.Key);

    public override bool TryGet(object? key, out object? value)
    {
        foreach (var entry in entries)
        {
            if (CelValue.AreEqual(entry.Key, key))
            {
                value = entry.Value;
                return true;
            }
        }
        value = null;
        return false;
    }
}

/// <summary>A JSON object, of declared properties or free keys. Values are converted when they are read.</summary>
/// <param name="schema">Null for metadata and for what no schema describes.</param>
internal sealed class CelJsonMap(JsonObject json, StructuralSchema? schema) : CelMap
{
    public override int Count => json.Count;

    public override IEnumerable<object?> Keys => json.Select(member => member.Key);

    public override bool TryGet(object? key, out object? value)
    {
        if (key is not string name || !json.TryGetPropertyValue(name, out var node))
        {
            value = null;
            return false;
        }
        value = CelValue.Of(node, schema?.Properties.GetValueOrDefault(name) ?? schema?.AdditionalProperties);
        return true;
    }

    public override bool TryGetField(string name, out object? value) =>
        TryGet(
            schema is { AdditionalProperties: null, Properties.Count: > 0 }
                ? json.Select(member => member.Key).FirstOrDefault(key => CelNames.Escape(key) == name)
                : name, out value);
}
