using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Selectors;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The pod subresources that are operations: binding and eviction.</summary>
internal sealed class PodOperations(ApiState state, ObjectUpdate update, ObjectDeletion deletion)
{
    private const string BudgetCollection = "policy/poddisruptionbudgets";

    /// <summary>Assigns a pod to a node, once.</summary>
    public void Bind(ResourceType pods, ObjectKey key, JsonNode? binding, WriteOptions options)
    {
        var node = binding.Text("target", "name") is { Length: > 0 } name
            ? name
            : throw ApiErrors.BadRequest("a Binding needs target.name, the node");
        update.Update(pods, key, "binding", pod => Bound(pods, pod, node), options);
        update.Update(pods, key, "status", Scheduled, options);
    }

    /// <summary>Deletes a pod unless a disruption budget forbids it.</summary>
    /// <exception cref="ApiException">429 when a budget is used up.</exception>
    public void Evict(ResourceType pods, ObjectKey key, JsonNode? eviction)
    {
        var pod = state.Require(pods, key).Root;
        foreach (var budget in state.Store.Snapshot(BudgetCollection).Objects.Values.Where(b => b.Key.Namespace == key.Namespace))
        {
            if (LabelSelector.Parse(LabelSelector.Text(budget.Root.At("spec", "selector"))).Matches(pod) && IsUsedUp(pods, budget.Root))
            {
                throw new ApiException(
                    429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", new JsonObject
                    {
                        ["causes"] = new JsonArray(
                        new JsonObject
                        {
                            ["reason"] = "DisruptionBudget",
                            ["message"] = $"The disruption budget {budget.Key.Name} does not allow another pod to be unavailable"
                        }),
                    });
            }
        }
        deletion.Delete(pods, key, DeleteOptions.Parse(eviction.At("deleteOptions"), _ => null, pods));
    }

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

    // There is no disruption controller here, so the budget is worked out when it is asked for.
    private bool IsUsedUp(ResourceType pods, JsonObject budget)
    {
        var selector = LabelSelector.Parse(LabelSelector.Text(budget.At("spec", "selector")));
        var covered = state.Store.Snapshot(pods.Collection).Objects.Values.Where(
            pod => pod.Key.Namespace == budget.Namespace() && selector.Matches(pod.Root)).ToList();
        var healthy = covered.Count(
            pod => !pod.Root.IsDeleting()
                && pod.Root.Items("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True"));
        var required = budget.At("spec", "minAvailable") is { } minimum ? Amount(minimum, covered.Count)
            : budget.At("spec", "maxUnavailable") is { } maximum ? covered.Count - Amount(maximum, covered.Count)
            : 0;
        return healthy <= required && required > 0;
    }

    private static long Amount(JsonNode value, int total) =>
        value.AsInteger()
            ?? (value.Text() is { } text && text.EndsWith('%') && double.TryParse(text[..^1], CultureInfo.InvariantCulture, out var percent)
                ? (long)Math.Ceiling(total * percent / 100)
                : 0);
}
