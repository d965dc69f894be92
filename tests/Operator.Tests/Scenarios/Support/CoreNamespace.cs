using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>A namespace: scenarios make them, the operator never touches one.</summary>
internal sealed class CoreNamespace : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Namespace", "namespaces", Namespaced: false);
}
