namespace Cluster.Operator.Api;

/// <summary>What an administrator may let podTemplates have beyond what everybody may set. Named as <c>--pod-template-allow</c> and the
/// chart's <c>podTemplate.allow</c> name them.</summary>
internal sealed record PodPrivilege(string Name, string Grants)
{
    public static readonly PodPrivilege HostNetwork = new(
        "hostNetwork", "the pod is in the node's network: it sees its traffic, reaches what listens on its loopback, and takes its ports");

    public static readonly PodPrivilege HostPid = new("hostPID", "the pod sees every process of the node, and may signal and trace them");

    public static readonly PodPrivilege HostIpc = new("hostIPC", "the pod shares memory and semaphores with every process of the node");

    public static readonly PodPrivilege HostPath = new(
        "hostPath", "the pod reads, and may write, any folder of its node, which is as good as being root there");

    public static readonly PodPrivilege ServiceAccount = new(
        "serviceAccount", "the pod acts in the API as any service account of its namespace, with its token");

    public static readonly PodPrivilege WorkerCommand = new(
        "workerCommand",
        "other code than the worker's runs in the worker's container, which has the GPUs and may be privileged");

    public static readonly PodPrivilege SecurityContext = new(
        "securityContext", "containers run as root, privileged, with capabilities, or without seccomp");

    public static readonly PodPrivilege ShareProcessNamespace = new(
        "shareProcessNamespace", "sidecars see the worker's processes, its memory and, through them, its files");

    public static readonly PodPrivilege RuntimeClass = new("runtimeClass", "the pod chooses the container runtime, and what it isolates");

    public static readonly PodPrivilege ResourceClaims = new(
        "resourceClaims", "the pod gets devices from a DRA driver, GPUs among them, which the operator does not know as booked");

    public static readonly PodPrivilege Csi = new(
        "csi", "the pod mounts what any CSI driver of the cluster gives inline, with the driver's rights");

    public static readonly PodPrivilege VolumeDevices = new(
        "volumeDevices", "the pod reads and writes claims as raw block devices, past their file systems");

    public static readonly PodPrivilege RuntimeAnnotations = new(
        "runtimeAnnotations", "annotations that container runtimes and network plugins act on: devices, AppArmor off, other networks");

    public static IReadOnlyList<PodPrivilege> All { get; } =
    [
        HostNetwork, HostPid, HostIpc, HostPath, ServiceAccount, WorkerCommand, SecurityContext, ShareProcessNamespace, RuntimeClass,
        ResourceClaims, Csi, VolumeDevices, RuntimeAnnotations,
    ];
}
