using System.Collections.ObjectModel;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What a pod asks of its node: selector, required node affinity, tolerations, volumes of images. Because the operator chooses the
/// node together with the GPUs, it has to judge these as the scheduler would. No I/O.</summary>
internal sealed class PodRequirements
{
    /// <summary>What the admission plugin DefaultTolerationSeconds adds.</summary>
    private static readonly TimeSpan DefaultNodeLossTolerance = TimeSpan.FromSeconds(300);

    /// <summary>Whoever asks for longer means for ever, and dates end somewhere.</summary>
    private static readonly TimeSpan LongestTolerance = TimeSpan.FromDays(36500);

    private const string KubernetesTaints = "node.kubernetes.io/";

    private static readonly V1Taint Unreachable = new() { Key = "node.kubernetes.io/unreachable", Effect = "NoExecute" };

    private readonly Dictionary<string, string> _nodeSelector;
    private readonly List<Toleration> _tolerations;
    private readonly List<NodeSelectorTerm>? _affinity;
    private readonly bool _mountsImages;

    private PodRequirements(
        Dictionary<string, string> nodeSelector, List<Toleration> tolerations, List<NodeSelectorTerm>? affinity, bool mountsImages)
    {
        _mountsImages = mountsImages;
        _nodeSelector = nodeSelector;
        _tolerations = tolerations;
        _affinity = affinity;
    }

    public static PodRequirements None { get; } = new([], [], null, mountsImages: false);

    /// <param name="podSpec">A PodSpec without the operator's own pin to a node.</param>
    /// <exception cref="InvalidModelDeploymentException">One of the fields has the wrong shape.</exception>
    public static PodRequirements Of(JsonObject podSpec)
    {
        try
        {
            var terms = podSpec["affinity"]?["nodeAffinity"]?["requiredDuringSchedulingIgnoredDuringExecution"]?["nodeSelectorTerms"];
            return new PodRequirements(
                podSpec["nodeSelector"].Deserialize<Dictionary<string, string>>(KubernetesJson.Options) ?? [],
                podSpec["tolerations"].Deserialize<List<Toleration>>(KubernetesJson.Options) ?? [],
                terms.Deserialize<List<NodeSelectorTerm>>(KubernetesJson.Options),
                ImageVolumes.AreIn(podSpec));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidModelDeploymentException(
                $"spec.podTemplate: nodeSelector, tolerations or affinity is malformed: {e.Message}", e);
        }
    }

    /// <summary>How long a pod stays with a node that stopped answering: the tolerationSeconds of its toleration of
    /// <c>node.kubernetes.io/unreachable:NoExecute</c>, without end when that has none, and what Kubernetes gives every pod
    /// when there is no such toleration.</summary>
    public TimeSpan? NodeLossTolerance =>
        _tolerations.Find(t => t.Tolerates(Unreachable)) is not { } toleration ? DefaultNodeLossTolerance
        : toleration.TolerationSeconds is { } seconds && seconds < LongestTolerance.TotalSeconds
            ? TimeSpan.FromSeconds(Math.Max(0, seconds))
        : null;

    /// <summary>Why a new pod cannot go to this node, in a few words; null when it can.</summary>
    public string? Refusal(V1Node node)
    {
        if (node.Metadata.DeletionTimestamp is not null)
        {
            return "being deleted";
        }

        if (node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) != true)
        {
            return "not ready";
        }

        if (node.Spec.Unschedulable == true)
        {
            return "cordoned";
        }

        return Mismatch(node, _ => true) ?? (_mountsImages ? ImageVolumes.Refusal(node) : null);
    }

    /// <summary>Whether pods may ever go to this node. What passes by itself does not count: readiness, cordons, and the taints
    /// that Kubernetes puts on a node for them.</summary>
    public bool Matches(V1Node node) => Mismatch(node, t => !t.Key.StartsWith(KubernetesTaints, StringComparison.Ordinal)) is null;

    private string? Mismatch(V1Node node, Func<V1Taint, bool> counts)
    {
        IReadOnlyDictionary<string, string> labels = node.Metadata.Labels?.AsReadOnly() ?? ReadOnlyDictionary<string, string>.Empty;
        foreach ((var key, var value) in _nodeSelector)
        {
            if (labels.GetValueOrDefault(key) != value)
            {
                return $"no label {key}={value}";
            }
        }

        if (_affinity is not null && !_affinity.Any(t => t.Matches(node.Metadata.Name, labels)))
        {
            return "node affinity does not match";
        }

        var taint = node.Spec.Taints?.FirstOrDefault(
            t => t.Effect is "NoSchedule" or "NoExecute" && counts(t) && !_tolerations.Exists(o => o.Tolerates(t)));
        return taint is null ? null : $"taint {taint.Key}{(string.IsNullOrEmpty(taint.Value) ? "" : "=" + taint.Value)}:{taint.Effect}";
    }

    private sealed record Toleration(string? Key, string? Operator, string? Value, string? Effect, long? TolerationSeconds)
    {
        public bool Tolerates(V1Taint taint) =>
            (string.IsNullOrEmpty(Effect) || Effect == taint.Effect)
            && (Operator == "Exists"
                ? string.IsNullOrEmpty(Key) || Key == taint.Key
                : Key == taint.Key && (Value ?? "") == (taint.Value ?? ""));
    }

    /// <summary>Terms are alternatives; within a term everything must hold, and an empty term matches nothing.</summary>
    private sealed record NodeSelectorTerm(List<Requirement>? MatchExpressions, List<Requirement>? MatchFields)
    {
        public bool Matches(string name, IReadOnlyDictionary<string, string> labels) =>
            (MatchExpressions ?? []).Count + (MatchFields ?? []).Count > 0
            && (MatchExpressions ?? []).TrueForAll(r => r.Matches(labels.GetValueOrDefault(r.Key)))
            && (MatchFields ?? []).TrueForAll(r => r.Key == "metadata.name" && r.Matches(name));
    }

    private sealed record Requirement(string Key, string Operator, List<string>? Values)
    {
        public bool Matches(string? actual) => Operator switch
        {
            "In" => actual is not null && Values?.Contains(actual) == true,
            "NotIn" => actual is null || Values?.Contains(actual) != true,
            "Exists" => actual is not null,
            "DoesNotExist" => actual is null,
            "Gt" => Compare(actual) > 0,
            "Lt" => Compare(actual) < 0,
            _ => false,
        };

        private int Compare(string? actual) =>
            long.TryParse(actual, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var left)
            && long.TryParse(Values?.FirstOrDefault(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var right)
                ? left.CompareTo(right)
                : 0;
    }
}
