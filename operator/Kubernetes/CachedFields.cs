using System.Text.Json.Serialization.Metadata;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>Which fields of the library's models a cache keeps: those that somebody reads. The models name every field there is, and a
/// cache of whole pods would hold managedFields, volumes and environments of a cluster's every container.</summary>
/// <remarks>Types that are not named are kept whole; our own API's types are small and read whole.</remarks>
internal static class CachedFields
{
    private static readonly Dictionary<Type, HashSet<string>> Kept = new()
    {
        [typeof(V1ObjectMeta)] =
        [
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "labels", "annotations",
            "finalizers", "ownerReferences",
        ],
        [typeof(V1OwnerReference)] = ["kind", "name", "uid", "controller"],
        [typeof(V1PodSpec)] = ["nodeName", "containers", "initContainers", "overhead", "resources"],
        [typeof(V1Container)] = ["resources", "restartPolicy"],
        [typeof(V1ResourceRequirements)] = ["requests", "limits"],
        [typeof(V1PodStatus)] = ["phase", "reason", "message", "podIP", "conditions", "initContainerStatuses", "containerStatuses"],
        [typeof(V1PodCondition)] = ["type", "status", "reason", "message"],
        [typeof(V1ContainerStatus)] = ["name", "ready", "started", "restartCount", "state", "lastState"],
        [typeof(V1ContainerStateTerminated)] = ["exitCode", "signal", "reason", "message"],
        [typeof(V1NodeSpec)] = ["unschedulable", "taints"],
        [typeof(V1Taint)] = ["key", "value", "effect"],
        [typeof(V1NodeStatus)] = ["allocatable", "conditions", "nodeInfo"],
        [typeof(V1NodeSystemInfo)] = ["kubeletVersion"],
        [typeof(V1NodeCondition)] = ["type", "status", "lastTransitionTime"],
        [typeof(V1Service)] = ["apiVersion", "kind", "metadata"],
        [typeof(V1ServiceAccount)] = ["apiVersion", "kind", "metadata"],
        [typeof(V1PodDisruptionBudget)] = ["apiVersion", "kind", "metadata"],
    };

    /// <summary>A modifier of the serializer's contracts: a field without a property is skipped while it is read.</summary>
    public static void KeepOnly(JsonTypeInfo type)
    {
        if (Kept.TryGetValue(type.Type, out var kept))
        {
            for (var i = type.Properties.Count - 1; i >= 0; i--)
            {
                if (!kept.Contains(type.Properties[i].Name))
                {
                    type.Properties.RemoveAt(i);
                }
            }
        }
    }
}
