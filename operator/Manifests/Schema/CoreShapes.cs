namespace Cluster.Operator.Manifests.Schema;

/// <summary>The list and map semantics of built-in kinds, from the <c>x-kubernetes-list-*</c> and <c>patchMergeKey</c> marks of k8s.io/api.
/// Lists that are not named here are atomic.</summary>
internal static class CoreShapes
{
    private static readonly FieldShape Set = new() { Merge = FieldMerge.Set };

    private static readonly FieldShape Conditions = Map(Struct(), new MergeKey("type"));

    public static FieldShape Metadata { get; } = Struct(
        ("finalizers", Set),
        ("ownerReferences", Map(FieldShape.Whole, new MergeKey("uid"))));

    private static readonly FieldShape Container = Struct(
        ("ports", Map(Struct(), new MergeKey("containerPort"), new MergeKey("protocol", "TCP"))),
        ("env",
            Map(Struct(
                ("valueFrom",
                    Struct(("fieldRef", FieldShape.Whole), ("configMapKeyRef", FieldShape.Whole), ("secretKeyRef", FieldShape.Whole),
                        ("resourceFieldRef", FieldShape.Whole)))), new MergeKey("name"))),
        ("volumeMounts", Map(Struct(), new MergeKey("mountPath"))),
        ("volumeDevices", Map(Struct(), new MergeKey("devicePath"))),
        ("resources", Always(Struct(("claims", Map(Struct(), new MergeKey("name")))))));

    private static readonly FieldShape Volume = new()
    {
        RetainKeys = true,
        Fields = new Dictionary<string, FieldShape>
        {
            ["secret"] = Struct(),
            ["configMap"] = Struct(),
            ["hostPath"] = Struct(),
            ["emptyDir"] = Struct()
        },
    };

    public static FieldShape PodSpec { get; } = Struct(
        ("containers", Always(Map(Container, new MergeKey("name")))),
        ("initContainers", Map(Container, new MergeKey("name"))),
        ("ephemeralContainers", Map(Container, new MergeKey("name"))),
        ("volumes", Map(Volume, new MergeKey("name"))),
        ("imagePullSecrets", Map(FieldShape.Whole, new MergeKey("name"))),
        ("hostAliases", Map(Struct(), new MergeKey("ip"))),
        ("topologySpreadConstraints",
            Map(Struct(("labelSelector", FieldShape.Whole)), new MergeKey("topologyKey"), new MergeKey("whenUnsatisfiable"))),
        ("schedulingGates", Map(Struct(), new MergeKey("name"))),
        ("resourceClaims", Map(Struct(), new MergeKey("name"))),
        ("nodeSelector", FieldShape.Whole));

    public static FieldShape Pod { get; } = Kind(PodSpec, Struct(
        ("conditions", Conditions),
        ("podIPs", Map(Struct(), new MergeKey("ip"))),
        ("hostIPs", FieldShape.Whole)));

    public static FieldShape Workload { get; } = Kind(
        Struct(
            ("selector", FieldShape.Whole),
            ("strategy", Always(Struct())),
            ("updateStrategy", Always(Struct())),
            ("template", Always(Struct(("metadata", Always(Metadata)), ("spec", Always(PodSpec)))))),
        Struct(("conditions", Conditions)));

    public static FieldShape Node { get; } = Kind(
        Struct(("podCIDRs", Set)),
        Struct(("conditions", Conditions), ("addresses", Map(Struct(), new MergeKey("type")))));

    public static FieldShape Service { get; } = Kind(
        Struct(("ports", Map(Struct(), new MergeKey("port"), new MergeKey("protocol", "TCP"))), ("selector", FieldShape.Whole)),
        Struct(("conditions", Conditions)));

    public static FieldShape Namespace { get; } = Kind(Struct(("finalizers", FieldShape.Whole)), Struct(("conditions", Conditions)));

    public static FieldShape ServiceAccount { get; } = Struct(
        ("metadata", Always(Metadata)),
        ("secrets", Map(Struct(), new MergeKey("name"))),
        ("imagePullSecrets", FieldShape.Whole));

    public static FieldShape CustomResourceDefinition { get; } = Kind(Struct(), Struct(("conditions", Conditions)));

    public static FieldShape PodDisruptionBudget { get; } = Kind(
        Struct(("selector", FieldShape.Whole)), Struct(("conditions", Conditions)));

    public static FieldShape NetworkPolicy { get; } = Kind(Struct(("podSelector", FieldShape.Whole)), Struct());

    /// <summary>A kind of which only the metadata has special merge rules.</summary>
    public static FieldShape Plain { get; } = Kind(Struct(), Struct(("conditions", Conditions)));

    private static FieldShape Kind(FieldShape spec, FieldShape status) =>
        Struct(("metadata", Always(Metadata)), ("spec", Always(spec)), ("status", Always(status)));

    private static FieldShape Always(FieldShape shape) => new()
    {
        IsAlwaysThere = true,
        Merge = shape.Merge,
        Keys = shape.Keys,
        Fields = shape.Fields,
        Items = shape.Items,
        RetainKeys = shape.RetainKeys,
    };

    private static FieldShape Struct(params ReadOnlySpan<(string Name, FieldShape Shape)> fields)
    {
        var map = new Dictionary<string, FieldShape>();
        foreach (var (name, shape) in fields)
        {
            map[name] = shape;
        }
        return new FieldShape { Fields = map };
    }

    private static FieldShape Map(FieldShape item, params MergeKey[] keys) =>
        new() { Merge = FieldMerge.ListMap, Items = item, Keys = keys };
}
