using Cluster.Operator.Kubernetes;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Controller;

/// <summary>Whole objects by key, with indexes. Written by one <see cref="Informer{T}"/>, read from any thread. What it hands
/// out is shared: nobody may change it.</summary>
internal sealed class ObjectStore<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Lock gate = new();
    private readonly Dictionary<NamespacedName, T> objects = [];
    private readonly Dictionary<string, Index> indexes = new(StringComparer.Ordinal);

    /// <param name="keysOf">Under which keys of this index an object is found.</param>
    public void AddIndex(string name, Func<T, IEnumerable<string>> keysOf)
    {
        lock (gate)
        {
            Index index = new(keysOf);
            indexes.Add(name, index);
            foreach (T value in objects.Values)
            {
                index.Add(value);
            }
        }
    }

    public T? Get(NamespacedName key)
    {
        lock (gate)
        {
            return objects.GetValueOrDefault(key);
        }
    }

    public IReadOnlyList<T> List()
    {
        lock (gate)
        {
            return [.. objects.Values];
        }
    }

    /// <exception cref="KeyNotFoundException">No index has this name.</exception>
    public IReadOnlyList<T> ByIndex(string name, string key)
    {
        lock (gate)
        {
            return indexes[name].Find(key);
        }
    }

    /// <returns>The object that was there before, or null.</returns>
    public T? Put(T value)
    {
        NamespacedName key = NamespacedName.Of(value);
        lock (gate)
        {
            T? before = RemoveLocked(key);
            objects[key] = value;
            foreach (Index index in indexes.Values)
            {
                index.Add(value);
            }

            return before;
        }
    }

    /// <returns>The object that was there, or null.</returns>
    public T? Remove(NamespacedName key)
    {
        lock (gate)
        {
            return RemoveLocked(key);
        }
    }

    private T? RemoveLocked(NamespacedName key)
    {
        if (objects.Remove(key, out T? before))
        {
            foreach (Index index in indexes.Values)
            {
                index.Remove(before);
            }
        }

        return before;
    }

    private sealed class Index(Func<T, IEnumerable<string>> keysOf)
    {
        private readonly Dictionary<string, HashSet<T>> entries = new(StringComparer.Ordinal);

        public IReadOnlyList<T> Find(string key) => entries.TryGetValue(key, out HashSet<T>? found) ? [.. found] : [];

        public void Add(T value)
        {
            foreach (string key in keysOf(value))
            {
                if (!entries.TryGetValue(key, out HashSet<T>? found))
                {
                    entries[key] = found = [];
                }

                found.Add(value);
            }
        }

        public void Remove(T value)
        {
            foreach (string key in keysOf(value))
            {
                if (entries.TryGetValue(key, out HashSet<T>? found) && found.Remove(value) && found.Count == 0)
                {
                    entries.Remove(key);
                }
            }
        }
    }
}
