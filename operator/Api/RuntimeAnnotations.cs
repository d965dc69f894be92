namespace Cluster.Operator.Api;

/// <summary>Annotations of pods that container runtimes, network plugins and givers of cloud roles take as orders.</summary>
internal static class RuntimeAnnotations
{
    private static readonly string[] Prefixes =
    [
        "cdi.k8s.io/", "io.kubernetes.cri-o.", "io.kubernetes.cri.", "io.containerd.", "io.katacontainers.", "container.apparmor.",
        "seccomp.security.alpha.kubernetes.io/", "security.alpha.kubernetes.io/", "k8s.v1.cni.cncf.io/", "v1.multus-cni.io/",
        "devices.nri.io", "nri.io/", "iam.amazonaws.com/",
    ];

    // Some plugins take the name of a resource before their own: devices.nri.io/container.worker, irq-load-balancing.crio.io.
    private static readonly string[] Parts = [".crio.io", ".nri.io/"];

    public static bool IsOne(string key)
    {
        var name = key.ToLowerInvariant();
        return Array.Exists(Prefixes, prefix => name.StartsWith(prefix, StringComparison.Ordinal))
            || Array.Exists(Parts, part => name.Contains(part, StringComparison.Ordinal));
    }
}
