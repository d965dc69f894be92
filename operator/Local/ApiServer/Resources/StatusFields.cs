using System.Collections.Frozen;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>The fields right below <c>status</c> of the built-in kinds (k8s.io/api), so that a misspelt one is refused or warned of. Kinds
/// that are not here take any.</summary>
internal static class StatusFields
{
    private static readonly FrozenDictionary<string, string[]> ByKind = new Dictionary<string, string>
    {
        ["Pod"] = "allocatedResources conditions containerStatuses ephemeralContainerStatuses extendedResourceClaimStatus hostIP hostIPs "
            + "initContainerStatuses message nodeAllocatableResourceClaimStatuses nominatedNodeName observedGeneration phase podIP podIPs "
            + "qosClass reason resize resourceClaimStatuses resources startTime",
        ["Node"] = "addresses allocatable capacity conditions config daemonEndpoints declaredFeatures features images nodeInfo phase "
            + "runtimeHandlers volumesAttached volumesInUse",
        ["Namespace"] = "conditions phase",
        ["Service"] = "conditions loadBalancer",
        ["PersistentVolumeClaim"] = "accessModes allocatedResourceStatuses allocatedResources capacity conditions "
            + "currentVolumeAttributesClassName modifyVolumeStatus phase",
        ["Deployment"] = "availableReplicas collisionCount conditions observedGeneration readyReplicas replicas terminatingReplicas "
            + "unavailableReplicas updatedReplicas",
        ["ReplicaSet"] = "availableReplicas conditions fullyLabeledReplicas observedGeneration readyReplicas replicas terminatingReplicas",
        ["DaemonSet"] = "collisionCount conditions currentNumberScheduled desiredNumberScheduled numberAvailable numberMisscheduled "
            + "numberReady numberUnavailable observedGeneration updatedNumberScheduled",
        ["PodDisruptionBudget"] = "conditions currentHealthy desiredHealthy disruptedPods disruptionsAllowed expectedPods "
            + "observedGeneration",
        ["HorizontalPodAutoscaler"] = "conditions currentCPUUtilizationPercentage currentMetrics currentReplicas desiredReplicas "
            + "lastScaleTime observedGeneration",
        ["CustomResourceDefinition"] = "acceptedNames conditions observedGeneration storedVersions",
    }.ToFrozenDictionary(kind => kind.Key, kind => kind.Value.Split(' '));

    /// <summary>Removes unknown fields of an object's status, in place.</summary>
    /// <returns>Their paths.</returns>
    public static List<string> Prune(JsonObject value, ResourceType type)
    {
        List<string> unknown = [];
        if (!type.IsCustom && value["status"] is JsonObject status && ByKind.TryGetValue(type.Kind, out var known))
        {
            foreach (var name in status.Select(field => field.Key).Where(name => !known.Contains(name)).ToList())
            {
                status.Remove(name);
                unknown.Add($"status.{name}");
            }
        }

        return unknown;
    }
}
