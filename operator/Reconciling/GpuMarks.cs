using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Marks GPUs that compute wrong results, so that they are given to nobody until a person takes the mark away: an annotation of
/// their Node for each, which the ledger reads (<see cref="GpuNode.Marked"/>). Called by <see cref="ModelDeploymentReconciler"/> before
/// the pod that held them is deleted: should the operator end in between, the pod is still there to tell again.</summary>
/// <remarks>An annotation for each GPU, since two writers of one would undo each other's marks. Named by UUID where there is one: a GPU
/// that is taken out takes its mark along, and the one in its place has none.</remarks>
internal sealed class GpuMarks(IKubernetesClient client, ObjectStore<V1Node> nodes, TimeProvider time)
{
    /// <summary>Of the annotations; what follows is the GPU as <see cref="GpuResource.IdOf"/> names it.</summary>
    public const string Prefix = ApiNames.Group + "/wrong-results.";

    public static string KeyOf(GpuDevice gpu, bool uuidsAreUnique) => Prefix + GpuResource.IdOf(gpu, uuidsAreUnique);

    /// <summary>Does nothing where all are marked, or where the operator does not know which GPUs the pod has.</summary>
    /// <exception cref="KubernetesException">The API server could not be reached or refused.</exception>
    public async Task MarkAsync(Replica pod, CancellationToken cancellationToken)
    {
        if (pod.Node is null || nodes.Get(new NamespacedName("", pod.Node)) is not { } node)
        {
            return;
        }

        GpuNode gpus = new(node);
        JsonObject marks = [];
        var since = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        foreach (var gpu in gpus.HeldBy(pod).Where(gpu => !gpus.Marked.Contains(gpu.Index)))
        {
            marks[KeyOf(gpu, gpus.UuidsAreUnique)] = $"{since} pod {NamespacedName.Of(pod.Pod)}";
        }

        if (marks.Count > 0)
        {
            await client.PatchAsync<V1Node>(
                null, node.Metadata.Name, PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = marks } },
                null, cancellationToken);
        }
    }
}
