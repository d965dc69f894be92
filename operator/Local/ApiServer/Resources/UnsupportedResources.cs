using Cluster.Operator.Local.ApiServer.Tables;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>Kinds that people try and that local mode does nothing for. They can be listed, empty, and creating one is refused by name: a
/// kind that is unknown altogether would read as a mistake of theirs.</summary>
internal static class UnsupportedResources
{
    private const string Purpose =
        "local mode serves ModelDeployments on one machine and has no controllers for other workloads; use a cluster for these "
        + "(docs/limits.md, Local mode)";

    public static IEnumerable<ResourceType> All { get; } =
    [
        Define("apps", "StatefulSet", "statefulsets", "sts"),
        Define("batch", "Job", "jobs"),
        Define("batch", "CronJob", "cronjobs", "cj"),
        Define("networking.k8s.io", "Ingress", "ingresses", "ing"),
        Define("", "ResourceQuota", "resourcequotas", "quota"),
        Define("", "ReplicationController", "replicationcontrollers", "rc"),
        Define("", "Endpoints", "endpoints", "ep"),
        Define("", "PersistentVolume", "persistentvolumes", isNamespaced: false, "pv"),
    ];

    /// <summary>Of kinds that are kept, because a chart brings them, and not run.</summary>
    public static string Stored(string kinds) => $"{kinds} are stored and no pods are started for them: {Purpose}";

    private static ResourceType Define(string group, string kind, string plural, params string[] shortNames) =>
        Define(group, kind, plural, isNamespaced: true, shortNames);

    private static ResourceType Define(string group, string kind, string plural, bool isNamespaced, params string[] shortNames) => new()
    {
        Namespaced = isNamespaced,
        Group = group,
        Version = "v1",
        Kind = kind,
        Plural = plural,
        Singular = kind.ToLowerInvariant(),
        ShortNames = shortNames,
        Columns = StandardColumns.NameAndAge,
        Refusal = $"{kind} is not supported: {Purpose}",
    };
}
