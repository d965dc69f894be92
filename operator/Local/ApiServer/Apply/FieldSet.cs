using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Apply;

/// <summary>A set of field paths: the content of a managedFields entry (FieldsV1). Immutable once built.</summary>
/// <remarks>A trie keyed by path elements in their FieldsV1 spelling:
/// <code>f:name          a field or map key
/// k:{"name":"a"}  an item of a list map
/// v:"a"           an item of a set
/// .               (in JSON) the node itself is a member, not just nodes below it</code></remarks>
internal sealed class FieldSet
{
    private readonly SortedDictionary<string, FieldSet> _children = new(StringComparer.Ordinal);

    /// <summary>Whether the path that leads here is in the set.</summary>
    public bool IsMember { get; set; }

    public IEnumerable<KeyValuePair<string, FieldSet>> Children => _children;

    public bool IsEmpty => !IsMember && _children.Count == 0;

    public FieldSet? Child(string element) => _children.GetValueOrDefault(element);

    /// <summary>The node below, made when absent.</summary>
    public FieldSet Grow(string element)
    {
        if (!_children.TryGetValue(element, out var child))
        {
            _children[element] = child = new FieldSet();
        }
        return child;
    }

    public static FieldSet Parse(JsonNode? fieldsV1)
    {
        var set = new FieldSet();
        if (fieldsV1 is not JsonObject map)
        {
            return set;
        }
        foreach (var (element, below) in map)
        {
            if (element == ".")
            {
                set.IsMember = true;
                continue;
            }
            var child = set.Grow(element);
            child.UnionWith(Parse(below));
            child.IsMember |= below is not JsonObject { Count: > 0 };
        }
        return set;
    }

    public JsonObject ToFieldsV1()
    {
        var map = new JsonObject();
        if (IsMember && _children.Count > 0)
        {
            map["."] = new JsonObject();
        }
        foreach (var (element, child) in _children)
        {
            map[element] = child.ToFieldsV1();
        }
        return map;
    }

    public FieldSet Copy()
    {
        var copy = new FieldSet();
        copy.UnionWith(this);
        return copy;
    }

    public void UnionWith(FieldSet other)
    {
        IsMember |= other.IsMember;
        foreach (var (element, child) in other._children)
        {
            Grow(element).UnionWith(child);
        }
    }

    /// <summary>The members of this set that are not in the other.</summary>
    public FieldSet Without(FieldSet? other)
    {
        if (other is null)
        {
            return Copy();
        }
        var result = new FieldSet { IsMember = IsMember && !other.IsMember };
        foreach (var (element, child) in _children)
        {
            var rest = child.Without(other.Child(element));
            if (!rest.IsEmpty)
            {
                result._children[element] = rest;
            }
        }
        return result;
    }

    public FieldSet Intersect(FieldSet other)
    {
        var result = new FieldSet { IsMember = IsMember && other.IsMember };
        foreach (var (element, child) in _children)
        {
            if (other.Child(element) is { } otherChild && child.Intersect(otherChild) is { IsEmpty: false } both)
            {
                result._children[element] = both;
            }
        }
        return result;
    }

    public bool SetEquals(FieldSet other) =>
        IsMember == other.IsMember
        && _children.Count == other._children.Count
        && _children.All(child => other.Child(child.Key) is { } match && child.Value.SetEquals(match));

    /// <summary>The members as people read them: <c>.spec.containers[name="a"].image</c>.</summary>
    public IEnumerable<string> Paths() => Paths("");

    private IEnumerable<string> Paths(string prefix)
    {
        if (IsMember)
        {
            yield return prefix;
        }
        foreach (var (element, child) in _children)
        {
            foreach (var path in child.Paths(prefix + Show(element)))
            {
                yield return path;
            }
        }
    }

    /// <summary>One element as people read it: <c>.image</c>, <c>[name="a"]</c>.</summary>
    public static string Show(string element)
    {
        var body = element[2..];
        return element[0] switch
        {
            'f' => $".{body}",
            'k' when JsonReading.Parse(Encoding.UTF8.GetBytes(body)) is JsonObject keys =>
                $"[{string.Join(",", keys.Select(k => $"{k.Key}={JsonText.ToText(k.Value)}"))}]",
            'v' => $"[={body}]",
            _ => $"[{body}]",
        };
    }
}
