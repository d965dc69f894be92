using System.Collections.Immutable;

namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>The objects of one resource and the last changes to them. Not thread-safe: <see cref="VersionedStore"/> holds its lock around
/// every call.</summary>
/// <remarks>Watchers read the change log at their own pace by sequence number, so a slow one costs the store nothing;
/// when the log has moved past it, it learns that it is expired.</remarks>
internal sealed class ObjectCollection(int historyLimit)
{
    private readonly StoreChange?[] _ring = new StoreChange?[historyLimit];
    private long _next;
    private long _compactedSequence;

    public ImmutableSortedDictionary<ObjectKey, StoredObject> Objects { get; private set; } =
        ImmutableSortedDictionary<ObjectKey, StoredObject>.Empty;

    /// <summary>The version of the newest change no longer in the log; a watch from before it cannot be served.</summary>
    public long CompactedThrough { get; private set; }

    public long NextSequence => _next;

    private long FirstSequence => Math.Max(0, _next - _ring.Length);

    public void Commit(StoreChange change)
    {
        if (_ring[_next % _ring.Length] is { } dropped)
        {
            CompactedThrough = dropped.Version;
        }
        _ring[_next++ % _ring.Length] = change;
        Objects = change.Current is { } current ? Objects.SetItem(current.Key, current) : Objects.Remove(change.Previous!.Key);
    }

    /// <summary>Forgets every logged change, as etcd's compaction does.</summary>
    public void Compact()
    {
        Array.Clear(_ring);
        _compactedSequence = _next;
    }

    /// <summary>The sequence of the first change after <paramref name="version"/>; null when that change may be gone.</summary>
    public long? SequenceAfter(long version)
    {
        if (version < CompactedThrough)
        {
            return null;
        }
        var sequence = _next;
        while (sequence > Oldest && _ring[(sequence - 1) % _ring.Length]!.Version > version)
        {
            sequence--;
        }
        return sequence;
    }

    /// <summary>The logged changes from a sequence on; null when the reader has fallen behind the log.</summary>
    public StoreChange[]? ReadFrom(long sequence)
    {
        if (sequence < Oldest)
        {
            return null;
        }
        var changes = new StoreChange[_next - sequence];
        for (var i = 0; i < changes.Length; i++)
        {
            changes[i] = _ring[(sequence + i) % _ring.Length]!;
        }
        return changes;
    }

    /// <summary>The objects as they were at a version, by undoing the log backwards; null when the log does not reach back.</summary>
    public ImmutableSortedDictionary<ObjectKey, StoredObject>? At(long version)
    {
        if (SequenceAfter(version) is not { } sequence)
        {
            return null;
        }
        var objects = Objects;
        for (var i = _next - 1; i >= sequence; i--)
        {
            var change = _ring[i % _ring.Length]!;
            objects = change.Previous is { } previous ? objects.SetItem(previous.Key, previous) : objects.Remove(change.Current!.Key);
        }
        return objects;
    }

    private long Oldest => Math.Max(FirstSequence, _compactedSequence);
}
