namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>One watcher's position in a collection's change log. Not thread-safe; each watch owns one.</summary>
internal sealed class ChangeReader(VersionedStore store, string collection, long sequence)
{
    private long _sequence = sequence;

    /// <summary>Takes what has been committed since the last call.</summary>
    /// <returns>Changes: null when this reader fell behind the log. Version: the store's version up to which nothing is missing.
    /// NextChange: completes at the next commit.</returns>
    public (StoreChange[]? Changes, long Version, Task NextChange) Take()
    {
        var (changes, version, next) = store.Read(collection, _sequence);
        _sequence += changes?.Length ?? 0;
        return (changes, version, next);
    }
}
