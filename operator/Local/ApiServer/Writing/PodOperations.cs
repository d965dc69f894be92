using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The pod subresources that are operations: binding and eviction.</summary>
internal sealed class PodOperations(ApiState state, ObjectUpdate update, ObjectDeletion deletion, DisruptionBudgets budgets)
{
    /// <summary>Assigns a pod to a node, once.</summary>
    public void Bind(ResourceType pods, ObjectKey key, JsonNode? binding, WriteOptions options)
    {
        var node = binding.Text("target", "name") is { Length: > 0 } name
            ? name
            : throw ApiErrors.BadRequest("a Binding needs target.name, the node");
        update.Update(pods, key, "binding", pod => Bound(pods, pod, node), options);
        update.Update(pods, key, "status", Scheduled, options);
    }

    /// <summary>Deletes a pod unless a disruption budget forbids it (pkg/registry/core/pod/storage/eviction.go).</summary>
    /// <param name="dryRun">Said by the query, if not by the body.</param>
    /// <exception cref="ApiException">429 when a budget is used up.</exception>
    public void Evict(ResourceType pods, ObjectKey key, JsonNode? eviction, bool dryRun)
    {
        if (eviction.Text("metadata", "name") is { Length: > 0 } name && name != key.Name)
        {
            throw ApiErrors.BadRequest("name in URL does not match name in Eviction object");
        }

        var options = DeleteOptions.Parse(eviction.At("deleteOptions"), _ => null);
        options = options with { DryRun = options.DryRun || dryRun };
        var pod = state.Require(pods, key).Root;
        if (!MayIgnoreBudgets(pod) && budgets.Of(pod) is { Count: > 0 } covering)
        {
            if (covering.Count > 1)
            {
                throw new ApiException(
                    500, "InternalError",
                    "Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                    + "support.");
            }

            if (!MayLeaveUnhealthy(pod, budgets.Sync(covering[0].Key)))
            {
                budgets.Take(covering[0].Key, key.Name, options.DryRun);
            }

            // The pod of that name that was looked at, and no other.
            options = options with { Uid = options.Uid ?? pod.Uid() };
        }

        deletion.Delete(pods, key, options);
    }

    /// <summary>It serves nobody, or its end has been decided.</summary>
    private static bool MayIgnoreBudgets(JsonObject pod) =>
        pod.IsDeleting() || pod.Text("status", "phase") is "Succeeded" or "Failed" or "Pending";

    private static bool MayLeaveUnhealthy(JsonObject pod, JsonObject budget) =>
        !DisruptionBudgets.IsHealthy(pod)
        && (budget.Text("spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"
            || (budget.Integer("status", "desiredHealthy") is > 0 and var desired
                && budget.Integer("status", "currentHealthy") >= desired));

    private static JsonObject Bound(ResourceType pods, JsonObject pod, string node)
    {
        if (pod.Text("spec", "nodeName") is { Length: > 0 } present)
        {
            throw ApiErrors.Conflict(pods, pod.Name(), $"pod {pod.Name()} is already assigned to node \"{present}\"");
        }
        var next = pod.Copy();
        next.Child("spec")["nodeName"] = node;
        return next;
    }

    private JsonObject Scheduled(JsonObject pod)
    {
        var next = pod.Copy();
        var status = next.Child("status");
        var others = status.Items("conditions").Where(c => c.Text("type") != "PodScheduled").Select(c => c?.DeepClone());
        status["conditions"] = new JsonArray(
            [.. others,
                new JsonObject
                {
                    ["type"] = "PodScheduled",
                    ["status"] = "True",
                    ["lastProbeTime"] = null,
                    ["lastTransitionTime"] = state.Now
                }]);
        return next;
    }
}
