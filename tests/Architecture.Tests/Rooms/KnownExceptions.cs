namespace Cluster.Architecture.Tests.Rooms;

/// <summary>
/// What breaks a rule today, per rule. The tests also fail when an entry no longer breaks its rule, so these lists only get shorter.
/// </summary>
internal static class KnownExceptions
{
    /// <summary>"room.type → room.type" of an assembly, against <see cref="RoomPlan"/>.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Dependencies = new Dictionary<string, string[]>
    {
        ["Worker"] = [],
        ["Operator"] =
        [
            ".Program → Local.LocalCommand",
            "Api.CrdDocument → Kubernetes.CustomResourceDefinition",
            "Api.CrdDocument → Kubernetes.ResourceDefinition",
            "Api.CrdDocument → Kubernetes.YamlJson",
            "Api.ModelDeployment → Kubernetes.IKubernetesKind",
            "Api.ModelDeployment → Kubernetes.KubernetesObject",
            "Api.ModelDeployment → Kubernetes.ResourceDefinition",
            "Api.ModelDeploymentStatus → Kubernetes.Condition",
            "Api.ModelDeploymentValidator → Kubernetes.KubernetesObject",
            "Api.ModelDeploymentValidator → Kubernetes.ObjectMeta",
            "Local.DeploymentWatcher → Commands.CommandFailure",
            "Local.LocalCommand → Commands.CommandFailure",
            "Local.LocalCommand → Commands.ModelConfigOption",
            "Local.LocalCommand → Commands.Signals",
            "Local.ManifestApplier → Commands.CommandFailure",
            "Local.OneShot → Commands.CommandFailure",
        ],
    };

    /// <summary>Types below Serving that use ASP.NET.</summary>
    public static readonly string[] HttpBelowServing = [];

    /// <summary>Classes that are neither sealed nor abstract nor derived from, and public types.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> OpenTypes = new Dictionary<string, string[]>
    {
        ["Worker"] = ["ExpertWeights"],
        ["Operator"] = [],
        ["Common"] = [],
    };

    /// <summary>Names that several types of an assembly have.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> SharedNames = new Dictionary<string, string[]>
    {
        ["Worker"] =
        [
            "TokenTrie",

            // Steps of tokenizer.json: the format gives a normalizer and a decoder the same name.
            "ByteLevel", "Metaspace", "Replace", "Sequence", "Strip",
        ],
        ["Operator"] = ["CustomResources", "ObjectStore"],
        ["Common"] = [],
    };

    /// <summary>Folders whose files have another namespace.</summary>
    public static readonly string[] ForeignNamespaces = ["tests/Operator.Tests/Scenarios/Support", "worker/Tokenization/Patterns"];
}
