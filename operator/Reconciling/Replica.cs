using System.Globalization;
using Cluster.Operator.Api;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>A worker pod as <see cref="Planner"/> and <see cref="GpuLedger"/> see it: what it holds and how it is doing.</summary>
internal sealed record Replica
{
    public required V1Pod Pod { get; init; }

    public string Name => Pod.Metadata.Name;

    /// <summary>Null for a pod that was sent to the API server but has not been seen there yet.</summary>
    public string? Uid => Pod.Metadata.Uid;

    /// <summary>Uid of the controlling owner.</summary>
    public string? OwnerUid { get; private init; }

    /// <summary>Where its GPUs are booked or, without any, where it was scheduled.</summary>
    public string? Node { get; private init; }

    public IReadOnlyList<int> Gpus { get; private init; } = [];

    public IReadOnlyList<string> Uuids { get; private init; } = [];

    /// <summary>Its GPU annotation cannot be read (somebody edited it): it has to be assumed to use the whole node.</summary>
    public bool HoldsWholeNode { get; private init; }

    public string? TemplateHash { get; private init; }

    /// <summary>Name of the deployment whose services select it.</summary>
    public string? DeploymentLabel { get; private init; }

    /// <summary>The scheduler has put it on its node.</summary>
    public bool IsBound => Pod.Spec.NodeName is not null;

    public bool Ready { get; private init; }

    /// <summary>Deletion has been asked for. Its processes may run until the pod is gone.</summary>
    public bool Terminating { get; private init; }

    /// <summary>Phase Failed or Succeeded: no process of it runs any more and none will.</summary>
    public bool Finished { get; private init; }

    public DateTimeOffset Created { get; private init; }

    /// <summary>What somebody says it costs to delete this pod rather than another; 0 where nobody says.</summary>
    public int DeletionCost { get; private init; }

    public bool HoldsGpus => !Finished && Node is not null && (Gpus.Count > 0 || HoldsWholeNode);

    /// <param name="deleteSent">We have asked for its deletion although the pod does not show it yet.</param>
    public static Replica Of(V1Pod pod, bool deleteSent = false)
    {
        var terminating = deleteSent || pod.Metadata.DeletionTimestamp is not null;
        var finished = pod.Status?.Phase is "Failed" or "Succeeded";
        IReadOnlyList<int>? gpus = Indices(pod.GetAnnotation(ApiNames.GpuIndicesAnnotation));
        return new Replica
        {
            Pod = pod,
            OwnerUid = pod.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true)?.Uid,
            Node = pod.GetAnnotation(ApiNames.GpuNodeAnnotation) ?? pod.Spec.NodeName,
            Gpus = gpus ?? [],
            HoldsWholeNode = gpus is null,
            Uuids = pod.GetAnnotation(ApiNames.GpuUuidsAnnotation)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [],
            TemplateHash = pod.GetLabel(ApiNames.TemplateHashLabel),
            DeploymentLabel = pod.GetLabel(ApiNames.DeploymentLabel),
            Ready = !terminating && !finished && pod.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true,
            Terminating = terminating,
            Finished = finished,
            Created = pod.Metadata.CreationTimestamp ?? DateTimeOffset.MaxValue,
            DeletionCost = int.TryParse(
                pod.GetAnnotation(ApiNames.DeletionCostAnnotation), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                out var cost) ? cost : 0,
        };
    }

    /// <returns>Empty without an annotation, null when it is unreadable.</returns>
    private static List<int>? Indices(string? annotation)
    {
        List<int> indices = [];
        foreach (var token in annotation?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [])
        {
            if (!int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            {
                return null;
            }

            indices.Add(index);
        }

        return indices;
    }
}
