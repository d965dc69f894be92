using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Apply;

/// <summary>Field ownership of one object (server-side apply, "Field management"). Pure: trees in, trees out; called by
/// <c>Writing</c>.</summary>
internal static class ManagedFields
{
    private static readonly string[] SystemMetadata = [
        "name", "namespace", "creationTimestamp", "uid", "resourceVersion", "generation", "managedFields", "selfLink", "generateName",
        "deletionTimestamp", "deletionGracePeriodSeconds"];

    public static List<ManagedEntry> Read(JsonObject value) => [.. value.Items("metadata", "managedFields").Select(ManagedEntry.Parse)];

    /// <summary>Records that a manager wrote <paramref name="current"/> over <paramref name="old"/> by create, update or patch: it owns
    /// what changed, and others lose that and what is gone.</summary>
    /// <param name="old">null for a create.</param>
    /// <param name="stated">The entries to start from: those of the live object, or what the client wrote in their place.</param>
    /// <param name="now">RFC 3339.</param>
    public static void RecordUpdate(
        JsonObject? old, IReadOnlyList<ManagedEntry> stated, JsonObject current, FieldShape shape, string manager, string apiVersion,
        string subresource, string now)
    {
        var before = old is null ? null : Ownable(old);
        var after = Ownable(current);
        var changed = FieldPaths.Changed(before ?? [], after, shape);
        var removed = before is null
            ? new FieldSet()
            : FieldPaths.WithParents(before, shape).Without(FieldPaths.WithParents(after, shape));
        var lost = changed.Copy();
        lost.UnionWith(removed);

        var mine = new ManagedEntry(manager, ManagedEntry.UpdateOperation, apiVersion, subresource, now, changed);
        var entries = new List<ManagedEntry>();
        foreach (var entry in stated)
        {
            if (entry.SameManager(mine))
            {
                var kept = entry.Fields.Without(removed);
                kept.UnionWith(changed);
                mine = mine with { Fields = kept, Time = changed.IsEmpty && removed.IsEmpty ? entry.Time : now };
            }
            else
            {
                entries.Add(entry with { Fields = entry.Fields.Without(lost) });
            }
        }
        entries.Add(mine);
        Write(current, entries);
    }

    /// <summary>Server-side apply: merges <paramref name="applied"/> into <paramref name="live"/>, takes out what this manager no longer
    /// applies and nobody else owns.</summary>
    /// <param name="live">An object without content for a create.</param>
    /// <returns>The new object with its managedFields; the caller defaults, validates and stores it.</returns>
    /// <exception cref="ApiException">409 with one cause a field, when another manager owns a field with another value and
    /// <paramref name="force"/> is not set.</exception>
    public static JsonObject Apply(
        JsonObject live, JsonObject applied, FieldShape shape, string manager, string apiVersion, string subresource, bool force,
        string now)
    {
        var mine = new ManagedEntry(
            manager, ManagedEntry.ApplyOperation, apiVersion, subresource, now, FieldPaths.Of(Ownable(applied), shape));
        var merged = (JsonObject)ApplyMerge.Merge(live, applied, shape)!;
        var changed = FieldPaths.Changed(Ownable(live), Ownable(merged), shape).Intersect(mine.Fields);

        var entries = Read(live);
        var previous = entries.FirstOrDefault(entry => entry.SameManager(mine));
        var others = entries.Where(entry => !entry.SameManager(mine)).ToList();
        var conflicts = others.Select(entry => (Entry: entry, Fields: entry.Fields.Intersect(changed))).Where(c => !c.Fields.IsEmpty)
            .ToList();
        if (conflicts.Count > 0 && !force)
        {
            throw Conflict(conflicts);
        }
        others = [.. others.Select(entry => entry with { Fields = entry.Fields.Without(changed) })];

        var gone = previous?.Fields.Without(mine.Fields) ?? new FieldSet();
        if (!gone.IsEmpty)
        {
            var keep = mine.Fields.Copy();
            foreach (var other in others)
            {
                keep.UnionWith(other.Fields);
            }
            ApplyMerge.Remove(merged, gone, keep, shape);
        }
        var unchanged = previous is not null && previous.Fields.SetEquals(mine.Fields) && changed.IsEmpty;
        Write(merged, [.. others, unchanged ? mine with { Time = previous!.Time } : mine]);
        return merged;
    }

    /// <summary>Whether any manager owns a field. What the scale subresource writes is recorded only then: a Scale starts from the entries
    /// that own the replicas, and where there are none, nothing is tracked (managedfields, <c>ScaleHandler</c>).</summary>
    public static bool Owns(IEnumerable<ManagedEntry> entries, IEnumerable<string> path) => entries.Any(
        entry => path.Aggregate((FieldSet?)entry.Fields, (fields, name) => fields?.Child($"f:{name}")) is { IsMember: true });

    /// <summary>The entries an update starts from: a client may rewrite them (kubectl moves client-side apply's to server-side apply), and
    /// an empty list clears them.</summary>
    public static List<ManagedEntry> Stated(JsonObject live, JsonObject wanted) =>
        wanted.At("metadata", "managedFields") is JsonArray ? [.. Read(wanted).Where(entry => entry.Manager.Length > 0)] : Read(live);

    private static void Write(JsonObject value, List<ManagedEntry> entries)
    {
        var kept = entries
            .Where(entry => !entry.Fields.IsEmpty)
            .OrderBy(entry => entry.Operation, StringComparer.Ordinal)
            .ThenBy(entry => entry.Time, StringComparer.Ordinal)
            .ThenBy(entry => entry.Manager, StringComparer.Ordinal)
            .Select(entry => (JsonNode)entry.ToJson())
            .ToArray();
        if (kept.Length == 0)
        {
            value.Metadata().Remove("managedFields");
        }
        else
        {
            value.Metadata()["managedFields"] = new JsonArray(kept);
        }
    }

    /// <summary>The part of an object that fields can be owned in: without identity and what the server sets.</summary>
    private static JsonObject Ownable(JsonObject value)
    {
        var copy = value.Copy();
        copy.Remove("apiVersion");
        copy.Remove("kind");
        if (copy["metadata"] is JsonObject metadata)
        {
            foreach (var name in SystemMetadata)
            {
                metadata.Remove(name);
            }
            if (metadata.Count == 0)
            {
                copy.Remove("metadata");
            }
        }
        return copy;
    }

    private static ApiException Conflict(List<(ManagedEntry Entry, FieldSet Fields)> conflicts)
    {
        var causes = new JsonArray();
        var lines = new List<string>();
        var count = 0;
        foreach (var (entry, fields) in conflicts.OrderBy(c => c.Entry.Manager, StringComparer.Ordinal))
        {
            var paths = fields.Paths().ToList();
            count += paths.Count;
            lines.Add($"conflicts with {entry.Describe()}:");
            lines.AddRange(paths.Select(path => $"- {path}"));
            foreach (var path in paths)
            {
                causes.Add(
                    new JsonObject
                    {
                        ["reason"] = "FieldManagerConflict",
                        ["message"] = $"conflict with {entry.Describe()}",
                        ["field"] = path
                    });
            }
        }
        var message = count == 1
            ? $"Apply failed with 1 conflict: conflict with {conflicts[0].Entry.Describe()}: {conflicts[0].Fields.Paths().First()}"
            : $"Apply failed with {count} conflicts: {string.Join("\n", lines)}";
        return new ApiException(409, "Conflict", message, new JsonObject { ["causes"] = causes });
    }
}
