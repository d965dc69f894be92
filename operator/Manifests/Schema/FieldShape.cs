namespace Cluster.Operator.Manifests.Schema;

/// <summary>How a field merges.</summary>
internal enum FieldMerge
{
    /// <summary>Objects key by key, lists as one value. What unknown fields get ("deduced" in structured-merge-diff).</summary>
    Granular,

    /// <summary>Replaced as a whole.</summary>
    Atomic,

    /// <summary>A list of unique scalars, merged by value.</summary>
    Set,

    /// <summary>A list of objects, merged by their key fields.</summary>
    ListMap,
}

/// <summary>A key field of a list map and the value it has when absent (ports default to TCP).</summary>
internal readonly record struct MergeKey(string Name, string? Default = null);

/// <summary>The merge semantics of a field and of what is in it: what server-side apply and strategic merge need to know of a schema.
/// Immutable; made by <see cref="CoreShapes"/> and <see cref="StructuralSchema"/>.</summary>
internal sealed class FieldShape
{
    public static FieldShape Deduced { get; } = new();

    public static FieldShape Whole { get; } = new() { Merge = FieldMerge.Atomic };

    public FieldMerge Merge { get; init; }

    public IReadOnlyList<MergeKey> Keys { get; init; } = [];

    public IReadOnlyDictionary<string, FieldShape> Fields { get; init; } = new Dictionary<string, FieldShape>();

    /// <summary>Of list items, or of a map's values.</summary>
    public FieldShape? Items { get; init; }

    /// <summary>A field that Go writes even when it is empty: no update brings it into being, so none owns it.</summary>
    public bool IsAlwaysThere { get; init; }

    /// <summary>Strategic merge's <c>retainKeys</c>: of a one-of object (a volume), keys the patch does not name go.</summary>
    public bool RetainKeys { get; init; }

    public FieldShape Field(string name) => Fields.TryGetValue(name, out var shape) ? shape : Items ?? Deduced;

    public FieldShape Item => Items ?? Deduced;
}
