using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Volumes that are OCI images, which <c>oci://</c> sources become. Kubernetes has them since 1.31 behind the feature gate
/// ImageVolume, which is on since 1.35.</summary>
internal static partial class ImageVolumes
{
    private const int FirstMinor = 31;
    private const string Gate = "the feature gate ImageVolume, which is on from Kubernetes 1.35";

    public static bool AreIn(JsonObject podSpec) =>
        (podSpec["volumes"] as JsonArray ?? []).Any(volume => volume is JsonObject one && one["image"] is not null);

    /// <summary>Why a node cannot mount any, in a few words; null where it can, or does not say what it is.</summary>
    public static string? Refusal(V1Node node) =>
        node.Status?.NodeInfo?.KubeletVersion is { } version && Version().Match(version) is { Success: true } match
        && int.Parse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) is var major
        && int.Parse(match.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) is var minor
        && (major < 1 || (major == 1 && minor < FirstMinor))
            ? $"kubelet {version} mounts no images: oci:// needs 1.{FirstMinor}"
            : null;

    /// <summary>What to add to the API server's refusal of a pod: one that does not know the field drops it, and then finds a volume
    /// without any.</summary>
    /// <returns>Empty for other refusals.</returns>
    public static string Explain(string refusal, JsonObject podSpec) =>
        AreIn(podSpec) && refusal.Contains("must specify a volume type", StringComparison.Ordinal)
            ? $" (oci:// sources are volumes of images: the API server and the kubelets need {Gate})"
            : "";

    [GeneratedRegex(@"^v?([0-9]{1,4})\.([0-9]{1,4})")]
    private static partial Regex Version();
}
