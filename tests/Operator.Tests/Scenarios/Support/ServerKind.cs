namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>The API servers that scenarios can run on; see <see cref="ServerChoice"/> for their order.</summary>
internal enum ServerKind
{
    /// <summary>Any cluster, named by <c>CLUSTER_TEST_KUBECONFIG</c>.</summary>
    Borrowed,

    /// <summary>kube-apiserver and etcd, named by <c>KUBEBUILDER_ASSETS</c>; no controllers.</summary>
    Assets,

    /// <summary>K3s in a container, where a Docker engine answers.</summary>
    K3s,

    /// <summary>Local mode's own.</summary>
    Local,
}
