using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>What the operator's own configuration puts into every worker pod. Given on the command line of <c>run</c> and
/// <c>render</c>.</summary>
/// <param name="Image">Image of the worker container.</param>
/// <param name="RuntimeClassName">For <c>deviceAccess: RuntimeClass</c>: the RuntimeClass of AMD's container runtime.</param>
/// <param name="HubCacheHostPath">Folder on every node that keeps downloaded models across pods, where a deployment names no cache; null
/// for one that dies with its pod.</param>
internal sealed record WorkerOptions(string Image, string RuntimeClassName = "amd", string? HubCacheHostPath = null)
{
    /// <summary>Secrets of the deployment's namespace that the kubelet pulls the image with.</summary>
    public IReadOnlyList<string> ImagePullSecrets { get; init; } = [];

    /// <summary>What podTemplates may have, and where models may be.</summary>
    public PodPolicy Policy { get; init; } = PodPolicy.None;

    /// <summary>From which the keys are derived that workers know the gateway by; null where there is no gateway.</summary>
    public byte[]? GatewayMasterKey { get; init; }

    /// <summary>Groups that own <c>/dev/kfd</c> and <c>/dev/dri/*</c> on the nodes. Default: video and render of Debian and Ubuntu;
    /// render's number differs between releases (<c>stat -c %g /dev/kfd</c>).</summary>
    public IReadOnlyList<int> DeviceGroups { get; init; } = [44, 109];
}
