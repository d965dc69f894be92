using k8s;
using k8s.Models;

namespace Cluster.Operator.Controller;

/// <summary>The key of an object within its kind. Cluster-scoped objects have an empty namespace.</summary>
internal readonly record struct NamespacedName(string Namespace, string Name)
{
    public static NamespacedName Of(IKubernetesObject<V1ObjectMeta> value) =>
        new(value.Metadata.NamespaceProperty ?? "", value.Metadata.Name);

    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}
