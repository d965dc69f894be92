namespace Cluster.Operator.Local.ApiServer.Store;

/// <summary>An object's place in its collection. Ordered as etcd orders keys: namespace, then name, by ordinal.</summary>
/// <param name="Namespace">Empty for cluster-scoped kinds.</param>
internal readonly record struct ObjectKey(string Namespace, string Name) : IComparable<ObjectKey>
{
    public int CompareTo(ObjectKey other)
    {
        var byNamespace = string.CompareOrdinal(Namespace, other.Namespace);
        return byNamespace != 0 ? byNamespace : string.CompareOrdinal(Name, other.Name);
    }
}
