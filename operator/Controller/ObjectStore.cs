using k8s;
using k8s.Models;

namespace Cluster.Operator.Controller;

/// <summary>Whole objects by key, with indexes. Written by one <see cref="Informer{T}"/>, read from any thread. What it hands
/// out is shared: nobody may change it.</summary>
internal sealed class ObjectStore<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Lock _gate = new();
    private readonly Dictionary<NamespacedName, T> _objects = [];
    private readonly Dictionary<string, Index> _indexes = new(StringComparer.Ordinal);

    /// <param name="keysOf">Under which keys of this index an object is found.</param>
    public void AddIndex(string name, Func<T, IEnumerable<string>> keysOf)
    {
        lock (_gate)
        {
            Index index = new(keysOf);
            _indexes.Add(name, index);
            foreach (var value in _objects.Values)
            {
                index.Add(value);
            }
        }
    }

    public T? Get(NamespacedName key)
    {
        lock (_gate)
        {
            return _objects.GetValueOrDefault(key);
        }
    }

    public IReadOnlyList<T> List()
    {
        lock (_gate)
        {
            return [.. _objects.Values];
        }
    }

    /// <exception cref="KeyNotFoundException">No index has this name.</exception>
    public IReadOnlyList<T> ByIndex(string name, string key)
    {
        lock (_gate)
        {
            return _indexes[name].Find(key);
        }
    }

    /// <returns>The object that was there before, or null.</returns>
    public T? Put(T value)
    {
        var key = NamespacedName.Of(value);
        lock (_gate)
        {
            var before = RemoveLocked(key);
            _objects[key] = value;
            foreach (var index in _indexes.Values)
            {
                index.Add(value);
            }

            return before;
        }
    }

    /// <returns>The object that was there, or null.</returns>
    public T? Remove(NamespacedName key)
    {
        lock (_gate)
        {
            return RemoveLocked(key);
        }
    }

    private T? RemoveLocked(NamespacedName key)
    {
        if (_objects.Remove(key, out var before))
        {
            foreach (var index in _indexes.Values)
            {
                index.Remove(before);
            }
        }

        return before;
    }

    private sealed class Index(Func<T, IEnumerable<string>> keysOf)
    {
        private readonly Dictionary<string, HashSet<T>> _entries = new(StringComparer.Ordinal);

        public IReadOnlyList<T> Find(string key) => _entries.TryGetValue(key, out var found) ? [.. found] : [];

        public void Add(T value)
        {
            foreach (var key in keysOf(value))
            {
                if (!_entries.TryGetValue(key, out var found))
                {
                    _entries[key] = found = [];
                }

                found.Add(value);
            }
        }

        public void Remove(T value)
        {
            foreach (var key in keysOf(value))
            {
                if (_entries.TryGetValue(key, out var found) && found.Remove(value) && found.Count == 0)
                {
                    _entries.Remove(key);
                }
            }
        }
    }
}
