namespace Cluster.Operator.Local.ApiServer.Protobuf;

/// <summary>What a protobuf field holds, and so how it reads as JSON.</summary>
internal enum FieldContent
{
    Text,
    Integer,
    Boolean,
    TextMap,
    BytesMap,
    Message,
}

/// <param name="Keep">A pointer in Go: zero, false and empty are values, not absence.</param>
internal sealed record FieldLayout(string Name, FieldContent Content, bool Repeated, bool Keep, string? Message);

/// <summary>The field numbers of the messages kubectl's typed commands send (k8s.io/api generated.proto). A text table, one message a
/// line.</summary>
/// <remarks><code>NUMBER name TYPE    s text · i integer · b boolean · m map of text · n map of bytes · Other message
/// []TYPE repeated · TYPE? optional</code></remarks>
internal static class MessageLayout
{
    private const string Table = """
        ObjectMeta: 1 name s, 2 generateName s, 3 namespace s, 4 selfLink s, 5 uid s, 6 resourceVersion s, 7 generation i, 11 labels m, 12 annotations m, 14 finalizers []s
        Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec
        NamespaceSpec: 1 finalizers []s
        ConfigMap: 1 metadata ObjectMeta, 2 data m, 3 binaryData n, 4 immutable b?
        Secret: 1 metadata ObjectMeta, 2 data n, 3 type s, 4 stringData m, 5 immutable b?
        ServiceAccount: 1 metadata ObjectMeta, 3 imagePullSecrets []LocalObjectReference, 4 automountServiceAccountToken b?
        LocalObjectReference: 1 name s
        Service: 1 metadata ObjectMeta, 2 spec ServiceSpec
        ServiceSpec: 1 ports []ServicePort, 2 selector m, 3 clusterIP s, 4 type s, 5 externalIPs []s, 7 sessionAffinity s, 10 externalName s
        ServicePort: 1 name s, 2 protocol s, 3 port i, 4 targetPort IntOrString, 5 nodePort i
        IntOrString: 1 type i?, 2 intVal i?, 3 strVal s?
        Deployment: 1 metadata ObjectMeta, 2 spec DeploymentSpec
        DeploymentSpec: 1 replicas i?, 2 selector LabelSelector?, 3 template PodTemplateSpec, 4 strategy DeploymentStrategy, 5 minReadySeconds i, 6 revisionHistoryLimit i?, 7 paused b, 9 progressDeadlineSeconds i?
        DeploymentStrategy: 1 type s
        LabelSelector: 1 matchLabels m
        PodTemplateSpec: 1 metadata ObjectMeta, 2 spec PodSpec
        PodSpec: 2 containers []Container, 3 restartPolicy s, 4 terminationGracePeriodSeconds i?, 6 dnsPolicy s, 7 nodeSelector m, 8 serviceAccountName s, 10 nodeName s, 11 hostNetwork b, 19 schedulerName s
        Container: 1 name s, 2 image s, 3 command []s, 4 args []s, 5 workingDir s, 6 ports []ContainerPort, 7 env []EnvVar, 14 imagePullPolicy s
        ContainerPort: 1 name s, 2 hostPort i, 3 containerPort i, 4 protocol s, 5 hostIP s
        EnvVar: 1 name s, 2 value s
        Role: 1 metadata ObjectMeta, 2 rules []PolicyRule
        ClusterRole: 1 metadata ObjectMeta, 2 rules []PolicyRule
        PolicyRule: 1 verbs []s, 2 apiGroups []s, 3 resources []s, 4 resourceNames []s, 5 nonResourceURLs []s
        RoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef
        ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef
        Subject: 1 kind s, 2 apiGroup s, 3 name s, 4 namespace s
        RoleRef: 1 apiGroup s, 2 kind s, 3 name s
        PodDisruptionBudget: 1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec
        PodDisruptionBudgetSpec: 1 minAvailable IntOrString, 2 selector LabelSelector?, 3 maxUnavailable IntOrString
        PriorityClass: 1 metadata ObjectMeta, 2 value i, 3 globalDefault b, 4 description s, 5 preemptionPolicy s?
        HorizontalPodAutoscaler: 1 metadata ObjectMeta, 2 spec HorizontalPodAutoscalerSpec
        HorizontalPodAutoscalerSpec: 1 scaleTargetRef CrossVersionObjectReference, 2 minReplicas i?, 3 maxReplicas i, 4 metrics []MetricSpec
        HorizontalPodAutoscalerV1: 1 metadata ObjectMeta, 2 spec HorizontalPodAutoscalerSpecV1
        HorizontalPodAutoscalerSpecV1: 1 scaleTargetRef CrossVersionObjectReference, 2 minReplicas i?, 3 maxReplicas i, 4 targetCPUUtilizationPercentage i?
        CrossVersionObjectReference: 1 kind s, 2 name s, 3 apiVersion s
        MetricSpec: 1 type s, 4 resource ResourceMetricSource, 7 containerResource ContainerResourceMetricSource
        ResourceMetricSource: 1 name s, 2 target MetricTarget
        ContainerResourceMetricSource: 1 name s, 2 target MetricTarget, 3 container s
        MetricTarget: 1 type s, 2 value Quantity?, 3 averageValue Quantity?, 4 averageUtilization i?
        Quantity: 1 string s
        Eviction: 1 metadata ObjectMeta, 2 deleteOptions DeleteOptions
        DeleteOptions: 1 gracePeriodSeconds i?, 2 preconditions Preconditions, 3 orphanDependents b?, 4 propagationPolicy s, 5 dryRun []s
        Preconditions: 1 uid s, 2 resourceVersion s
        SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec
        SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes
        ResourceAttributes: 1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, 6 subresource s, 7 name s
        NonResourceAttributes: 1 path s, 2 verb s
        SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec
        SelfSubjectRulesReviewSpec: 1 namespace s
        TokenRequest: 1 metadata ObjectMeta, 2 spec TokenRequestSpec
        TokenRequestSpec: 1 audiences []s, 3 boundObjectRef BoundObjectReference, 4 expirationSeconds i?
        BoundObjectReference: 1 kind s, 2 apiVersion s, 3 name s, 4 uid s
        SelfSubjectReview: 1 metadata ObjectMeta
        """;

    private static readonly Dictionary<string, Dictionary<int, FieldLayout>> Messages = Table
        .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Select(line => line.Split(':', 2))
        .ToDictionary(
            parts => parts[0],
            parts => parts[1].Split(',', StringSplitOptions.TrimEntries).Select(ParseField).ToDictionary(f => f.Number, f => f.Layout));

    /// <summary>The message of a kind; kinds whose versions number their fields differently have one for each.</summary>
    public static string NameOf(string apiVersion, string kind) =>
        (apiVersion, kind) is ("autoscaling/v1", "HorizontalPodAutoscaler") ? "HorizontalPodAutoscalerV1" : kind;

    /// <returns>null for a message that is not in the table.</returns>
    public static IReadOnlyDictionary<int, FieldLayout>? Of(string message) => Messages.GetValueOrDefault(message);

    private static (int Number, FieldLayout Layout) ParseField(string text)
    {
        var parts = text.Split(' ');
        var type = parts[2];
        var repeated = type.StartsWith("[]", StringComparison.Ordinal);
        var keep = type.EndsWith('?');
        type = type.TrimStart('[', ']').TrimEnd('?');
        var content = type switch
        {
            "s" => FieldContent.Text,
            "i" => FieldContent.Integer,
            "b" => FieldContent.Boolean,
            "m" => FieldContent.TextMap,
            "n" => FieldContent.BytesMap,
            _ => FieldContent.Message,
        };
        return (
            int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture),
            new FieldLayout(parts[1], content, repeated, keep, content == FieldContent.Message ? type : null));
    }
}
