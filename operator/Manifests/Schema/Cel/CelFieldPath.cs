namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>A rule's <c>fieldPath</c>: the field its errors are about, relative to the rule's own place: <c>.a.b</c>, <c>.a['b-c']</c>.
/// Called by <see cref="CelRule"/>.</summary>
internal static class CelFieldPath
{
    /// <returns>The path as errors show it, to be appended to the rule's place (<c>.a.b</c>; <c>.a[key]</c> in a map); null with a reason
    /// when the schema has no such field.</returns>
    public static (string? Path, string Problem) Resolve(string text, StructuralSchema schema)
    {
        var path = "";
        for (var at = 0; at < text.Length;)
        {
            if (Segment(text, ref at) is not { Length: > 0 } name)
            {
                return (null, $"expected a path such as .spec.field or ['field'], got '{text}'");
            }
            if (schema.Properties.TryGetValue(name, out var property))
            {
                (path, schema) = ($"{path}.{name}", property);
            }
            else if (schema.AdditionalProperties is { } additional)
            {
                (path, schema) = ($"{path}[{name}]", additional);
            }
            else
            {
                return (null, $"does not refer to a valid field: '{name}'");
            }
        }
        return path.Length > 0 ? (path, "") : (null, "must be non-empty if specified");
    }

    private static string? Segment(string text, ref int at)
    {
        var start = at + 1;
        if (text[at] == '.')
        {
            at = text.AsSpan(start).IndexOfAny('.', '[') is var length and >= 0 ? start + length : text.Length;
            return text[start..at];
        }
        if (string.CompareOrdinal(text, at, "['", 0, 2) != 0 || text.IndexOf("']", at, StringComparison.Ordinal) is not (> 0 and var end))
        {
            return null;
        }
        at = end + 2;
        return end >= start + 1 ? text[(start + 1)..end] : null;
    }
}
