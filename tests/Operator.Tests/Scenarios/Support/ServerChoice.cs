namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>Which API servers to try, the first one first. Pure.</summary>
internal static class ServerChoice
{
    /// <summary>What a variable names is used, or the tests fail: whoever named it wants to know. A Docker engine that only happens to be
    /// there may be unable to run K3s, so local mode's server comes after it.</summary>
    /// <param name="kubeconfig">A cluster is named.</param>
    /// <param name="assets">A folder with kube-apiserver and etcd is.</param>
    /// <param name="docker">Asked for only where it matters.</param>
    public static IReadOnlyList<ServerKind> Order(bool kubeconfig, bool assets, Func<DockerEngine> docker) =>
        kubeconfig ? [ServerKind.Borrowed]
        : assets ? [ServerKind.Assets]
        : docker().Answers ? [ServerKind.K3s, ServerKind.Local]
        : [ServerKind.Local];
}
