using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using static Cluster.Operator.Api.OverlayRule;

namespace Cluster.Operator.Api;

/// <summary>Which fields of a worker pod a podTemplate may change: a list of what everybody may set, what needs a
/// <see cref="PodPrivilege"/>, and nothing else. A field that is not here, because Kubernetes is newer, is refused.</summary>
/// <remarks>What is compared is the pod before and after the overlay, so that directives and nulls have no way around. docs/security.md has
/// the list for people.</remarks>
internal static class PodOverlayRules
{
    private const string Path = "spec.podTemplate";
    private const string WorkerContainer = "worker";

    /// <param name="before">The pod as the operator made it.</param>
    /// <param name="after">The pod with the podTemplate merged in.</param>
    public static List<ValidationError> Check(JsonObject before, JsonObject after, PodPolicy policy)
    {
        List<ValidationError> errors = [];
        Metadata.Check(before["metadata"], after["metadata"], $"{Path}.metadata", policy, errors);
        var hostPaths = after.Items("spec", "volumes").Where(volume => volume.At("hostPath") is not null)
            .Select(volume => volume.Text("name") ?? "").ToHashSet(StringComparer.Ordinal);
        Pod(hostPaths).Check(before["spec"], after["spec"], $"{Path}.spec", policy, errors);
        return errors;
    }

    private static OverlayRule Metadata { get; } = Fields(
        ("labels", Free),
        ("annotations", Keys(key => RuntimeAnnotations.IsOne(key) ? Needs(PodPrivilege.RuntimeAnnotations) : Free)));

    private static OverlayRule PodSecurity { get; } = Fields(
        ("runAsNonRoot", Values(IsTrue, PodPrivilege.SecurityContext)),
        ("runAsUser", Values(IsNotRoot, PodPrivilege.SecurityContext)),
        ("runAsGroup", Values(IsNotRoot, PodPrivilege.SecurityContext)),
        ("fsGroup", Values(IsNotRoot, PodPrivilege.SecurityContext)),
        ("fsGroupChangePolicy", Free),
        ("supplementalGroups", Needs(PodPrivilege.SecurityContext)),
        ("supplementalGroupsPolicy", Free),
        ("seccompProfile", Values(IsRuntimeDefault, PodPrivilege.SecurityContext)),
        ("appArmorProfile", Values(IsRuntimeDefault, PodPrivilege.SecurityContext)),
        ("seLinuxOptions", Needs(PodPrivilege.SecurityContext)),
        ("seLinuxChangePolicy", Needs(PodPrivilege.SecurityContext)),
        ("windowsOptions", Needs(PodPrivilege.SecurityContext)),
        ("sysctls", Needs(PodPrivilege.SecurityContext)));

    private static OverlayRule Volume { get; } = Fields(
        ("name", Free),
        ("configMap", Free),
        ("secret", Free),
        ("emptyDir", Free),
        ("persistentVolumeClaim", Free),
        ("ephemeral", Free),
        ("downwardAPI", Free),
        ("image", Free),
        ("projected", Fields(
            ("defaultMode", Free),
            ("sources", Items("name", _ => Fields(
                ("configMap", Free), ("secret", Free), ("downwardAPI", Free), ("clusterTrustBundle", Free),
                ("serviceAccountToken", Needs(PodPrivilege.ServiceAccount))))))),
        ("hostPath", Adding(PodPrivilege.HostPath)),
        ("csi", Adding(PodPrivilege.Csi)));

    private static OverlayRule Pod(HashSet<string> hostPaths) => Fields(
        ("affinity", Free),
        ("automountServiceAccountToken", Values(IsFalse, PodPrivilege.ServiceAccount)),
        ("containers", Items("name", container => Container(container.Text("name") == WorkerContainer, hostPaths))),
        ("dnsConfig", Free),
        ("dnsPolicy", Free),
        ("enableServiceLinks", Free),
        ("hostAliases", Free),
        ("hostIPC", Values(IsFalse, PodPrivilege.HostIpc)),
        ("hostNetwork", Values(IsFalse, PodPrivilege.HostNetwork)),
        ("hostPID", Values(IsFalse, PodPrivilege.HostPid)),
        ("hostUsers", Free),
        ("hostname", Free),
        ("imagePullSecrets", Free),
        ("initContainers", Items("name", _ => Container(isWorker: false, hostPaths))),
        ("nodeSelector", Free),
        ("preemptionPolicy", Free),
        ("priorityClassName", Free),
        ("readinessGates", Free),
        ("resourceClaims", Needs(PodPrivilege.ResourceClaims)),
        ("resources", Resources),
        ("restartPolicy", Free), // Checked with what is merged: only Always makes sense.
        ("runtimeClassName", Needs(PodPrivilege.RuntimeClass)),
        ("schedulerName", Free),
        ("schedulingGates", Free),
        ("securityContext", PodSecurity),
        ("serviceAccount", Needs(PodPrivilege.ServiceAccount)),
        ("serviceAccountName", Needs(PodPrivilege.ServiceAccount)),
        ("setHostnameAsFQDN", Free),
        ("shareProcessNamespace", Values(IsFalse, PodPrivilege.ShareProcessNamespace)),
        ("subdomain", Free),
        ("tolerations", Free),
        ("topologySpreadConstraints", Free),
        ("volumes", Items("name", _ => Volume)));

    private static OverlayRule Resources { get; } = Fields(
        ("limits", Free), ("requests", Free), ("claims", Needs(PodPrivilege.ResourceClaims)));

    /// <param name="hostPaths">Volumes that are folders of the node.</param>
    private static OverlayRule Container(bool isWorker, HashSet<string> hostPaths)
    {
        var code = isWorker ? Needs(PodPrivilege.WorkerCommand) : Free;
        var handler = Handler(isWorker);
        return Fields(
            ("name", Free),
            ("image", code),
            ("imagePullPolicy", Free),
            ("command", code),
            ("args", isWorker ? Never("made from spec.engine; further flags go to spec.engine.extraArgs") : Free),
            ("workingDir", code),
            ("env", Items("name", variable => isWorker && LoaderVariables.IsOne(variable.Text("name")) ? code : Variable)),

            // Whose names nobody here can see.
            ("envFrom", code),
            ("lifecycle", Fields(("postStart", handler), ("preStop", handler))),
            ("livenessProbe", handler),
            ("readinessProbe", handler),
            ("startupProbe", handler),
            ("ports", Items("containerPort", _ => Fields(
                ("name", Free), ("containerPort", Free), ("protocol", Free),
                ("hostPort", Needs(PodPrivilege.HostNetwork)), ("hostIP", Needs(PodPrivilege.HostNetwork))))),
            ("resizePolicy", Free),
            ("resources", Resources),
            ("restartPolicy", isWorker ? Never("a worker serves until it is deleted") : Free),
            ("securityContext", ContainerSecurity(isWorker)),
            ("stdin", code),
            ("stdinOnce", code),
            ("tty", code),
            ("terminationMessagePath", code),
            ("terminationMessagePolicy", Free),
            ("volumeDevices", Needs(PodPrivilege.VolumeDevices)),
            ("volumeMounts", Items(
                "mountPath", mount => hostPaths.Contains(mount.Text("name") ?? "") ? Needs(PodPrivilege.HostPath) : Mount(isWorker))));
    }

    private static OverlayRule Variable { get; } = Fields(
        ("name", Free),
        ("value", Free),
        ("valueFrom", Fields(("fieldRef", Free), ("resourceFieldRef", Free), ("configMapKeyRef", Free), ("secretKeyRef", Free))));

    /// <summary>Requests of hooks and probes come from the node.</summary>
    private static OverlayRule Handler(bool isWorker)
    {
        var host = Needs(PodPrivilege.HostNetwork);
        return Fields(
            ("exec", isWorker ? Adding(PodPrivilege.WorkerCommand) : Free),
            ("httpGet", Fields(("path", Free), ("port", Free), ("scheme", Free), ("httpHeaders", Free), ("host", host))),
            ("tcpSocket", Fields(("port", Free), ("host", host))),
            ("grpc", Free),
            ("sleep", Free),
            ("initialDelaySeconds", Free),
            ("timeoutSeconds", Free),
            ("periodSeconds", Free),
            ("successThreshold", Free),
            ("failureThreshold", Free),
            ("terminationGracePeriodSeconds", Free));
    }

    private static OverlayRule ContainerSecurity(bool isWorker) => Fields(
        ("allowPrivilegeEscalation", Values(IsFalse, PodPrivilege.SecurityContext)),
        ("privileged", Values(IsFalse, PodPrivilege.SecurityContext)),
        ("readOnlyRootFilesystem", Free),
        ("runAsNonRoot", Values(IsTrue, PodPrivilege.SecurityContext)),
        ("runAsUser", Values(IsNotRoot, PodPrivilege.SecurityContext)),
        ("runAsGroup", Values(IsNotRoot, PodPrivilege.SecurityContext)),
        ("capabilities", Fields(
            ("add", Values(value => value is JsonArray { Count: 0 }, PodPrivilege.SecurityContext)),
            ("drop", isWorker
                ? Values(value => value is JsonArray all && all.Any(one => one.Text() == "ALL"), PodPrivilege.SecurityContext)
                : Free))),
        ("seccompProfile", Values(IsRuntimeDefault, PodPrivilege.SecurityContext)),
        ("appArmorProfile", Values(IsRuntimeDefault, PodPrivilege.SecurityContext)),
        ("procMount", Needs(PodPrivilege.SecurityContext)),
        ("seLinuxOptions", Needs(PodPrivilege.SecurityContext)),
        ("windowsOptions", Needs(PodPrivilege.SecurityContext)));

    private static OverlayRule Mount(bool isWorker) => Fields(
        ("name", Free),
        ("mountPath", isWorker ? Values(path => !ImageFolders.Covers(path.Text()), PodPrivilege.WorkerCommand) : Free),
        ("readOnly", Free),
        ("recursiveReadOnly", Free),
        ("subPath", Free),
        ("subPathExpr", Never("use subPath")),
        ("mountPropagation", Needs(PodPrivilege.HostPath)));

    private static bool IsTrue(JsonNode value) => value is JsonValue flag && flag.TryGetValue(out bool set) && set;

    private static bool IsFalse(JsonNode value) => value is JsonValue flag && flag.TryGetValue(out bool set) && !set;

    private static bool IsNotRoot(JsonNode value) => value.AsInteger() > 0;

    private static bool IsRuntimeDefault(JsonNode value) => value is JsonObject { Count: 1 } && value.Text("type") == "RuntimeDefault";
}
