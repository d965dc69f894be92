using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>Every object of the cluster under one version counter, as etcd keeps them. Knows nothing of kinds, schemas or HTTP. Called by
/// <c>Writing</c> and <c>Routing</c>.</summary>
internal sealed class VersionedStore(int historyLimit)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ObjectCollection> _collections = [];
    private TaskCompletionSource _changed = NewSignal();

    // Starts above zero: "0" has its own meaning in a request.
    private long _version = 1;

    // Like etcd's revision of the last compaction: of all collections, also of those that have not changed since.
    private long _compacted;

    public long Version
    {
        get
        {
            lock (_gate)
            {
                return _version;
            }
        }
    }

    /// <summary>Completes at the next commit to any collection. Take it before reading, so that no commit falls between.</summary>
    public Task NextChange
    {
        get
        {
            lock (_gate)
            {
                return _changed.Task;
            }
        }
    }

    public StoredObject? Get(string collection, ObjectKey key)
    {
        lock (_gate)
        {
            return Of(collection).Objects.GetValueOrDefault(key);
        }
    }

    public (ImmutableSortedDictionary<ObjectKey, StoredObject> Objects, long Version) Snapshot(string collection)
    {
        lock (_gate)
        {
            return (Of(collection).Objects, _version);
        }
    }

    /// <summary>The collection as it was at a version; null when compacted away.</summary>
    public ImmutableSortedDictionary<ObjectKey, StoredObject>? SnapshotAt(string collection, long version)
    {
        lock (_gate)
        {
            return version < _compacted ? null : Of(collection).At(version);
        }
    }

    /// <returns>null when the key is taken.</returns>
    public StoredObject? Create(string collection, JsonObject value)
    {
        lock (_gate)
        {
            var objects = Of(collection);
            if (objects.Objects.ContainsKey(new ObjectKey(value.Namespace(), value.Name())))
            {
                return null;
            }
            var stored = StoredObject.Freeze(value, ++_version);
            Commit(objects, new StoreChange(_version, null, stored, null));
            return stored;
        }
    }

    /// <returns>null when <paramref name="expected"/> is no longer the stored version.</returns>
    public StoredObject? Update(string collection, StoredObject expected, JsonObject value)
    {
        lock (_gate)
        {
            var objects = Of(collection);
            if (objects.Objects.GetValueOrDefault(expected.Key)?.Version != expected.Version)
            {
                return null;
            }
            var stored = StoredObject.Freeze(value, ++_version);
            Commit(objects, new StoreChange(_version, expected, stored, null));
            return stored;
        }
    }

    /// <param name="last">The state to announce as deleted, for a deletion that also changes the object; null for the stored one.</param>
    /// <returns>The object under the version of its deletion; null when <paramref name="expected"/> is no longer the stored
    /// version.</returns>
    public StoredObject? Delete(string collection, StoredObject expected, JsonObject? last = null)
    {
        lock (_gate)
        {
            var objects = Of(collection);
            if (objects.Objects.GetValueOrDefault(expected.Key)?.Version != expected.Version)
            {
                return null;
            }
            var deleted = StoredObject.Freeze(last ?? expected.Root.Copy(), ++_version);
            Commit(objects, new StoreChange(_version, expected, null, deleted));
            return deleted;
        }
    }

    /// <summary>A reader of the changes after <paramref name="version"/>; null when they are compacted away.</summary>
    public ChangeReader? ReadAfter(string collection, long version)
    {
        lock (_gate)
        {
            return version >= _compacted && Of(collection).SequenceAfter(version) is { } sequence
                ? new ChangeReader(this, collection, sequence)
                : null;
        }
    }

    /// <summary>The present objects and a reader of what follows, without a gap.</summary>
    public (
        ImmutableSortedDictionary<ObjectKey, StoredObject> Objects, long Version, ChangeReader Changes) SnapshotAndRead(string collection)
    {
        lock (_gate)
        {
            var objects = Of(collection);
            return (objects.Objects, _version, new ChangeReader(this, collection, objects.NextSequence));
        }
    }

    /// <summary>Drops all history: older versions can no longer be listed or watched from.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            _compacted = _version;
            foreach (var collection in _collections.Values)
            {
                collection.Compact();
            }
        }
    }

    internal (StoreChange[]? Changes, long Version, Task NextChange) Read(string collection, long sequence)
    {
        lock (_gate)
        {
            return (Of(collection).ReadFrom(sequence), _version, _changed.Task);
        }
    }

    private ObjectCollection Of(string collection)
    {
        if (!_collections.TryGetValue(collection, out var objects))
        {
            _collections[collection] = objects = new ObjectCollection(historyLimit);
        }
        return objects;
    }

    private void Commit(ObjectCollection objects, StoreChange change)
    {
        objects.Commit(change);
        var signal = _changed;
        _changed = NewSignal();
        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static string Text(long version) => version.ToString(CultureInfo.InvariantCulture);
}
