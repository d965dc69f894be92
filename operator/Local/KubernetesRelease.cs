namespace Cluster.Operator.Local;

/// <summary>The release of Kubernetes that local mode stands for, server and node alike: what clients of it may expect.</summary>
internal static class KubernetesRelease
{
    public const string Major = "1";
    public const string Minor = "36";
    public const string Version = $"v{Major}.{Minor}.0+cluster-local";
}
